// Package audit shows events of the store's log as audit records in the CADF
// shape (DMTF DSP0262) with the fields that the official service sends. It
// stores nothing and decides nothing: the log is the store's, and what an
// event says was written by the domain together with the change.
package audit

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// Event is one audit record.
type Event struct {
	ID            string          `json:"id"` // unique in the installation: account and sequence number
	EventType     string          `json:"eventType"`
	EventTime     string          `json:"eventTime"` // UTC, milliseconds, "+0000"
	Action        string          `json:"action"`
	Outcome       string          `json:"outcome"`
	Message       string          `json:"message"`
	Severity      string          `json:"severity"` // normal, warning or critical
	Initiator     Initiator       `json:"initiator"`
	Target        Target          `json:"target"`
	Observer      Observer        `json:"observer"`
	Reason        Reason          `json:"reason"`
	RequestData   json.RawMessage `json:"requestData,omitempty"`
	ResponseData  json.RawMessage `json:"responseData,omitempty"`
	CorrelationID string          `json:"correlationId,omitempty"` // the request's Transaction-Id
	LogSourceCRN  string          `json:"logSourceCRN,omitempty"`
	DataEvent     bool            `json:"dataEvent"`
	// Seq counts the account's events; clients continue a read after it.
	Seq     int64    `json:"seq"`
	Account string   `json:"accountId"`
	ETag    string   `json:"etag,omitempty"`    // entity tag of the object after the change
	Changed []string `json:"changed,omitempty"` // names of the changed properties
}

// Initiator is who caused an event.
type Initiator struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	TypeURI    string      `json:"typeURI"`
	Credential *Credential `json:"credential,omitempty"`
	Host       Host        `json:"host"`
	// AuthnID is the identity that acted through a trusted profile.
	AuthnID string `json:"authnId,omitempty"`
}

// Credential tells what the initiator showed.
type Credential struct {
	Type string `json:"type"`
}

// Host is where the request came from.
type Host struct {
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent"` // "Not Set" when the client named none
}

// Target is what was touched.
type Target struct {
	ID      string `json:"id"` // CRN, or the plain id of objects without CRN
	Name    string `json:"name"`
	TypeURI string `json:"typeURI"`
}

// Observer is the server that wrote the record.
type Observer struct {
	ID      string `json:"id,omitempty"` // its issuer
	Name    string `json:"name"`
	TypeURI string `json:"typeURI,omitempty"`
}

// Reason is the result in terms of HTTP.
type Reason struct {
	Code int    `json:"reasonCode"`
	Type string `json:"reasonType"`
}

// evaluation ends the actions that tell of an answer and not of a change.
const evaluation = ".eval"

// timeForm is the form in which the official service writes event times.
const timeForm = "2006-01-02T15:04:05.000-0700"

// Render shows one event that is not silent. Every event in the log tells of a change that
// happened, so the outcome is always success.
func Render(e store.Event, observer Observer) Event {
	service, object := service(e)
	out := Event{
		ID: eventID(e), EventType: "activity", EventTime: e.At.UTC().Format(timeForm), Action: e.Action, Outcome: "success",
		Message: e.Message, Severity: severity(e.Op), Initiator: initiator(e.Origin), Observer: observer, Reason: reason(e.Op),
		Target:        Target{ID: e.CRN, Name: e.Name, TypeURI: service + "/" + object},
		CorrelationID: e.Origin.TransactionID, RequestData: e.Data,
		Seq: e.Seq, Account: e.Account, ETag: e.Tag, Changed: e.Params,
	}
	if strings.HasSuffix(e.Action, evaluation) {
		out.RequestData, out.ResponseData, out.Severity, out.Reason = nil, e.Data, "normal", http200
	}
	if out.Target.ID == "" {
		out.Target.ID = e.Target
	}
	if out.Message == "" {
		out.Message = strings.TrimSpace(string(e.Op) + " " + object + " " + e.Name)
	}
	if e.Account != store.System {
		out.LogSourceCRN = crn.Of(service, e.Account, "", "")
	}
	return out
}

// RenderAll shows events in their order, without those that are silent.
func RenderAll(events []store.Event, observer Observer) []Event {
	out := make([]Event, 0, len(events))
	for _, e := range events {
		if !e.Silent() {
			out = append(out, Render(e, observer))
		}
	}
	return out
}

func eventID(e store.Event) string {
	seq, err := json.Marshal(e.Seq)
	if err != nil {
		panic("encoding a number: " + err.Error()) // integers always encode
	}
	return e.Account + ":" + string(seq)
}

// service splits "iam-identity.user-apikey.create" into service and object; an
// action of another form falls back to the kind of the object.
func service(e store.Event) (service, object string) {
	parts := strings.Split(e.Action, ".")
	if len(parts) < 3 {
		return "kagiban", e.Kind
	}
	return parts[0], parts[1]
}

// severity follows the official service: deletions are critical, changes are
// warnings, everything else is normal.
func severity(op store.Op) string {
	switch op {
	case store.Delete:
		return "critical"
	case store.Update:
		return "warning"
	default:
		return "normal"
	}
}

func reason(op store.Op) Reason {
	switch op {
	case store.Create:
		return http201
	case store.Delete:
		return http204
	default:
		return http200
	}
}

// The three results of a change that happened, as literals: this package
// imports no transport.
var (
	http200 = Reason{200, "OK"}
	http201 = Reason{201, "Created"}
	http204 = Reason{204, "No Content"}
)

func initiator(o store.Origin) Initiator {
	in := Initiator{ID: o.IAMID, Name: o.Name, TypeURI: typeURI(o.IAMID), Host: Host{Address: o.Address, Agent: o.Agent}, AuthnID: o.Subject}
	if o.Credential != "" {
		in.Credential = &Credential{Type: o.Credential}
	}
	if in.Host.Agent == "" {
		in.Host.Agent = "Not Set"
	}
	return in
}

// typeURI names the kind of identity; changes without caller come from the
// server itself.
func typeURI(iamID string) string {
	const account = "service/security/account/"
	object, machine := id.OfIAM(iamID)
	switch {
	case iamID == "":
		return "service/security"
	case machine && strings.HasPrefix(object, id.Profile):
		return account + "profile"
	case machine:
		return account + "serviceid"
	case strings.HasPrefix(iamID, id.CRNPrefix):
		return "service/security/crn"
	}
	return account + "user"
}

// Time gives the time of a record.
func (e *Event) Time() (time.Time, error) { return time.Parse(timeForm, e.EventTime) }
