package audit_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/audit"
	"github.com/kagiban/kagiban/internal/store"
)

var observer = audit.Observer{ID: "https://iam.example.com", Name: "Kagiban"}

const account = "0123456789abcdef0123456789abcdef"

func event() store.Event {
	return store.Event{
		Account: account, Seq: 7, At: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC), Action: "iam-identity.user-apikey.create", Op: store.Create,
		Kind: "apikey", Target: "ApiKey-1", Name: "k", CRN: "crn:v1:bluemix:public:iam-identity::a/" + account + "::apikey:ApiKey-1", Tag: "1-x",
		Message: "IAM Identity Service: create user-apikey k", Params: []string{"name"}, Data: json.RawMessage(`{"lock":true}`),
		Origin: store.Origin{IAMID: "IBMid-A", Name: "a@example.com", Account: account, Credential: "token", TransactionID: "tx",
			Address: "192.0.2.1", Agent: "curl/8"},
	}
}

func TestAnEventInTheCADFShape(t *testing.T) {
	got, err := json.Marshal(audit.Render(event(), observer))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"0123456789abcdef0123456789abcdef:7","eventType":"activity","eventTime":"2026-03-04T05:06:07.089+0000",` +
		`"action":"iam-identity.user-apikey.create","outcome":"success","message":"IAM Identity Service: create user-apikey k","severity":"normal",` +
		`"initiator":{"id":"IBMid-A","name":"a@example.com","typeURI":"service/security/account/user","credential":{"type":"token"},"host":{"address":"192.0.2.1","agent":"curl/8"}},` +
		`"target":{"id":"crn:v1:bluemix:public:iam-identity::a/0123456789abcdef0123456789abcdef::apikey:ApiKey-1","name":"k","typeURI":"iam-identity/user-apikey"},` +
		`"observer":{"id":"https://iam.example.com","name":"Kagiban"},"reason":{"reasonCode":201,"reasonType":"Created"},"requestData":{"lock":true},` +
		`"correlationId":"tx","logSourceCRN":"crn:v1:bluemix:public:iam-identity::a/0123456789abcdef0123456789abcdef:::","dataEvent":false,` +
		`"seq":7,"accountId":"0123456789abcdef0123456789abcdef","etag":"1-x","changed":["name"]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSeverityAndReasonFollowTheChange(t *testing.T) {
	for op, want := range map[store.Op]audit.Event{
		store.Create: {Severity: "normal", Reason: audit.Reason{Code: 201, Type: "Created"}},
		store.Update: {Severity: "warning", Reason: audit.Reason{Code: 200, Type: "OK"}},
		store.Delete: {Severity: "critical", Reason: audit.Reason{Code: 204, Type: "No Content"}},
	} {
		e := event()
		e.Op = op
		got := audit.Render(e, observer)
		if got.Severity != want.Severity || got.Reason != want.Reason {
			t.Errorf("%s: %s %v", op, got.Severity, got.Reason)
		}
	}
}

func TestInitiatorsHaveTheTypeOfTheirIdentity(t *testing.T) {
	for iamID, want := range map[string]string{
		"IBMid-A": "service/security/account/user", "iam-ServiceId-1": "service/security/account/serviceid",
		"iam-Profile-1": "service/security/account/profile", "crn-crn:v1:x": "service/security/crn", "": "service/security",
	} {
		e := event()
		e.Origin.IAMID = iamID
		if got := audit.Render(e, observer).Initiator.TypeURI; got != want {
			t.Errorf("%q: %s, want %s", iamID, got, want)
		}
	}
}

func TestWhatIsAbsentIsSaidAsTheOfficialServiceDoes(t *testing.T) {
	e := event()
	e.CRN, e.Message, e.Origin = "", "", store.Origin{}
	got := audit.Render(e, observer)
	if got.Target.ID != "ApiKey-1" || got.Message != "create user-apikey k" || got.Initiator.Host.Agent != "Not Set" ||
		got.Initiator.Credential != nil {
		t.Errorf("got %+v", got)
	}
	e.Account, e.Action = store.System, "odd"
	got = audit.Render(e, observer)
	if got.LogSourceCRN != "" || got.Target.TypeURI != "kagiban/apikey" {
		t.Errorf("got %+v", got)
	}
}

func TestTimesCanBeReadBack(t *testing.T) {
	got := audit.Render(event(), observer)
	at, err := got.Time()
	if err != nil || !at.Equal(event().At) {
		t.Errorf("%v %v", at, err)
	}
}

func TestWritesThatAreToldByOthersAreNotInTheTrail(t *testing.T) {
	told, silent := event(), event()
	silent.Seq, silent.Action = 8, ""
	got := audit.RenderAll([]store.Event{silent, told, silent}, observer)
	if len(got) != 1 || got[0].Seq != told.Seq {
		t.Errorf("got %+v", got)
	}
	if got := audit.RenderAll([]store.Event{silent}, observer); got == nil || len(got) != 0 {
		t.Errorf("nothing to show is %#v, not an empty list", got)
	}
}
