package identity

import (
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
)

func TestExpiryForms(t *testing.T) {
	want := time.Date(2049, 1, 2, 18, 30, 0, 0, time.UTC)
	for _, text := range []string{
		"2049-01-02T18:30+0000", "2049-01-02T18:30:00+0000", "2049-01-02T18:30Z", "2049-01-02T18:30:00Z", "2049-01-02T18:30:00.000Z",
		"2049-01-02T20:30+0200", "2049-01-02T20:30:00+02:00", "2049-01-02T13:30-05",
	} {
		if got, err := parseExpiry(text); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"2049-01-02", "2049-01-02T18:30", "2049-01-02 18:30+0000", "18:30", "2049-02-30T00:00+0000", "1969-12-31T00:00+0000",
		"0001-01-01T00:00+0000", "32503680000", "never", " 2049-01-02T18:30+0000", "2049-01-02T18:30:00.0000000000000000000000000000Z",
	} {
		if got, err := parseExpiry(text); fault.Of(err).Field != "expires_at" {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func FuzzParseExpiry(f *testing.F) {
	for _, s := range []string{"2049-01-02T18:30+0000", "2049-01-02T18:30:00.5+02:00", "", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := parseExpiry(text)
		if err != nil {
			return
		}
		if text != "" && at.IsZero() {
			t.Fatalf("%q reads as never", text)
		}
		again, err := parseExpiry(at.Format("2006-01-02T15:04:05-0700"))
		if text != "" && (err != nil || !again.Equal(at.Truncate(time.Second))) {
			t.Fatalf("%q reads as %v, which reads as %v, %v", text, at, again, err)
		}
	})
}

func FuzzTrusts(f *testing.F) {
	f.Add("crn", "crn:v1:bluemix:public:is:r:a/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa::instance:i", "")
	f.Add("user", "IBMid-1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
	f.Add("serviceid", "ServiceId-1", "")
	f.Fuzz(func(t *testing.T, kind, identifier, accountID string) {
		spec := TrustSpec{Type: kind, Identifier: identifier}
		if accountID != "" {
			spec.Accounts = []string{accountID}
		}
		if spec.Validate() != nil {
			return
		}
		if len(TrustID("Profile-00000000-0000-0000-0000-000000000000", kind, identifier)) > maxID || len(spec.iamID()) > maxID {
			t.Fatalf("%q is too long for the store", identifier)
		}
	})
}
