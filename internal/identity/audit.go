package identity

import (
	"encoding/json"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/store"
)

// object names a kind of object in audit events and CRNs. Its actions are
// "iam-identity.<noun>.create", ".update" and ".delete".
type object struct{ noun, crnType string }

var (
	userKey      = object{"user-apikey", "apikey"}
	serviceKey   = object{"serviceid-apikey", "apikey"}
	serviceID    = object{"account-serviceid", "serviceid"}
	serviceGroup = object{"serviceid-group", "serviceidgroup"}
	// profile stands for its rules, links and trusted identities too: a change
	// of a part is an update of the profile in the audit trail.
	profile    = object{"account-profile", "profile"}
	preference = object{"preferences", "preferences"}
)

// requestData is what an event tells about the request.
type requestData struct {
	Lock             *bool  `json:"lock,omitempty"`
	Disable          *bool  `json:"disable,omitempty"`
	InstanceName     string `json:"instance_name,omitempty"`
	PrevInstanceName string `json:"prev_instance_name,omitempty"`
	Warning          string `json:"warning,omitempty"`
}

func (o object) event(op store.Op, account, objectID, name string, params []string, data requestData) store.Event {
	ev := store.Event{
		Action:  "iam-identity." + o.noun + "." + string(op),
		Message: "IAM Identity Service: " + string(op) + " " + o.noun + " " + name,
		Name:    name,
		CRN:     crn.Of("iam-identity", account, o.crnType, objectID),
		Params:  params,
	}
	if data != (requestData{}) {
		// A struct of strings and bools always encodes.
		ev.Data, _ = json.Marshal(data)
	}
	return ev
}

func (o object) created(m *store.Meta, warning string) store.Event {
	return o.event(store.Create, m.Account, m.ID, m.Name, nil, requestData{Warning: warning})
}

func (o object) updated(m *store.Meta, params []string, data requestData) store.Event {
	return o.event(store.Update, m.Account, m.ID, m.Name, params, data)
}

func (o object) deleted(m *store.Meta) store.Event {
	return o.event(store.Delete, m.Account, m.ID, m.Name, nil, requestData{})
}

// partOf gives the event of a change to a part of a profile: the audit trail
// names the profile, the log the part.
func partOf(p *Profile, params ...string) store.Event {
	return profile.event(store.Update, p.Account, p.ID, p.Name, params, requestData{InstanceName: p.Name, PrevInstanceName: p.Name})
}

// changes collects the names of the properties that an update changes.
type changes []string

func set[T comparable](c *changes, property string, to *T, from *T) {
	if from != nil && *from != *to {
		*to = *from
		*c = append(*c, property)
	}
}
