package kagibanv1_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/kagibanv1"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

const leaks = "/kagiban/v1/leaked_keys"

func serve(t testing.TB, home func(context.Context) (string, error)) *apitest.Server {
	return apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return kagibanv1.New(kagibanv1.Config{DB: s.DB, Identities: s.Identity, Home: home,
			Pages: lists.NewSealer(apitest.Pepper())}).Operations()
	})
}

func atHome(context.Context) (string, error) { return apitest.Account, nil }

// key stores an API key of Member in account Other.
func key(s *apitest.Server, value, action string) string {
	s.T.Helper()
	hasher, err := secret.NewHasher(apitest.Pepper(), secret.PurposeAPIKey)
	if err != nil {
		s.T.Fatal(err)
	}
	k := &identity.APIKey{Meta: store.Meta{Account: apitest.Other, ID: "ApiKey-" + action, Name: action, Owner: apitest.Member},
		IAMID: apitest.Member, Hash: hasher.Lookup(secret.New(value)), ActionWhenLeaked: action, Locked: true}
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return identity.APIKeys.Create(ctx, tx, k, store.Event{})
	})
	return k.ID
}

func TestALeakedKeyMeetsWhatItsOwnerChose(t *testing.T) {
	s := serve(t, atHome)
	s.Grant("IBMid-SCANNER", "crn:v1:bluemix:public:kagiban::::serviceRole:LeakReporter", "serviceName=kagiban")
	for action, still := range map[string]bool{"none": true, "disable": false, "delete": false} {
		id := key(s, "value of the key with "+action, action)
		a := s.Do("IBMid-SCANNER", "POST", leaks, map[string]string{"apikey": "value of the key with " + action}).Want(200)
		for path, want := range map[string]string{"id": id, "account_id": apitest.Other, "iam_id": apitest.Member, "action": action} {
			if a.Text(path) != want {
				t.Errorf("%s: %s is %q, want %q", action, path, a.Text(path), want)
			}
		}
		k, err := identity.APIKeys.Get(t.Context(), s.DB.Direct(), apitest.Other, id)
		if usable := err == nil && !k.Disabled; usable != still {
			t.Errorf("%s: usable %v, %v", action, usable, err)
		}
		history, err := s.DB.Events(t.Context(), apitest.Other, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		last := history[len(history)-1]
		if last.Target != id || !strings.HasSuffix(last.Message, "found in public") || last.Origin.IAMID != "IBMid-SCANNER" {
			t.Errorf("%s: the key's account reads %q of %s by %s", action, last.Message, last.Target, last.Origin.IAMID)
		}
	}
}

func TestWhatIsNoKeyIsNotFoundAndNotRepeated(t *testing.T) {
	s := serve(t, atHome)
	a := s.Do(apitest.Owner, "POST", leaks, map[string]string{"apikey": "s3cret-that-is-no-key"})
	if a.Refused(404, "not_found"); strings.Contains(string(a.Body), "s3cret") {
		t.Errorf("the answer repeats it: %s", a.Body)
	}
	s.Do(apitest.Owner, "POST", leaks, map[string]string{"apikey": ""}).Refused(400, "invalid")
	s.Do(apitest.Owner, "POST", leaks, `{"apikey":7}`).Want(400)
}

func TestOnlyOperatorsTellOfLeaks(t *testing.T) {
	s := serve(t, atHome)
	id := key(s, "the value of a key", "delete")
	s.Grant("IBMid-VIEWER", "Viewer", "serviceName=kagiban")
	for caller, want := range map[string]int{apitest.Member: 403, "IBMid-VIEWER": 403, apitest.OtherOwner + "@" + apitest.Other: 404,
		"": 401} {
		for _, value := range []string{"the value of a key", "no key at all"} {
			s.Do(caller, "POST", leaks, map[string]string{"apikey": value}).Want(want)
		}
	}
	if _, err := identity.APIKeys.Get(t.Context(), s.DB.Direct(), apitest.Other, id); err != nil {
		t.Errorf("the key after refusals: %v", err)
	}
}

func TestWithoutOperatorsNobodyTells(t *testing.T) {
	s := serve(t, func(context.Context) (string, error) {
		return "", fault.New(fault.NotFound, "There is no account yet.")
	})
	s.Do(apitest.Owner, "POST", leaks, map[string]string{"apikey": "x"}).Want(404)
}
