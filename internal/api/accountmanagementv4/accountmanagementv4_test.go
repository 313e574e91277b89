package accountmanagementv4_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/accountmanagementv4"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

const (
	own   = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	other = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
)

// byAccount takes the token for the id of the caller's account.
type byAccount struct{}

func (byAccount) Authenticate(_ context.Context, token string, _ netip.Addr) (*httpapi.Caller, error) {
	if token == "bad" {
		return nil, &fault.Error{Kind: fault.Unauthenticated}
	}
	return &httpapi.Caller{Subject: policy.Subject{Kind: policy.KindUser, IAMID: "IBMid-1", Account: token}}, nil
}

func (byAccount) Decide(context.Context, policy.Request) (policy.Decision, error) {
	return policy.Decision{}, nil // nobody may do anything that needs a permission
}

func (byAccount) Extent(context.Context, policy.Request) (policy.Extent, policy.Decision, error) {
	return policy.Nowhere, policy.Decision{}, nil
}

func serve(t *testing.T) (*httpapi.Router, store.DB) {
	t.Helper()
	db, err := sqlitestore.Open(t.Context(), sqlitestore.Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	accounts := account.New(account.Config{DB: db})
	for id, n := range map[string]account.NewAccount{
		own: {Name: "Ours", Classic: "1700023", Owner: account.NewUser{ID: "IBMid-270000ANN1", Email: "ann@example.com", GivenName: "Ann",
			FamilyName: "A"}},
		other: {Name: "Theirs", Owner: account.NewUser{ID: "IBMid-270000EVE1", Email: "eve@example.com", GivenName: "Eve", FamilyName: "E"}},
	} {
		n.ID = id
		if _, err := accounts.Create(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	router, err := httpapi.NewRouter(httpapi.Config{
		Operations: accountmanagementv4.New(accounts).Operations(), Authenticator: byAccount{}, Authorizer: byAccount{},
		Default: accountmanagementv4.Family, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return router, db
}

func get(t *testing.T, router http.Handler, token, account string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/v4/accounts/"+account, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	router.ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return w.Code, body
}

func TestMembersReadTheirOwnAccount(t *testing.T) {
	router, _ := serve(t)
	status, got := get(t, router, own, own)
	want := map[string]any{
		"name": "Ours", "id": own, "owner": "IBMid-270000ANN1", "owner_userid": "ann@example.com", "owner_iamid": "IBMid-270000ANN1",
		"type": "STANDARD", "status": "ACTIVE", "linked_softlayer_account": "1700023", "team_directory_enabled": false,
		"traits": map[string]any{"eu_supported": false, "poc": false, "hippa": false},
	}
	if diff := cmp.Diff(want, got); status != 200 || diff != "" {
		t.Errorf("%d (-want +got):\n%s", status, diff)
	}
}

func TestAnotherAccountIsAsAbsentAsNone(t *testing.T) {
	router, _ := serve(t)
	_, none := get(t, router, own, "00000000000000000000000000000000")
	for _, tt := range []struct {
		token, account string
		status         int
	}{
		{own, other, 404}, {own, "x", 404}, {"bad", own, 401},
	} {
		status, body := get(t, router, tt.token, tt.account)
		if status != tt.status {
			t.Errorf("%s reading %s: %d, want %d", tt.token, tt.account, status, tt.status)
		}
		if tt.account == other && len(body) != len(none) {
			t.Errorf("an existing account answers %v, an absent one %v", body, none)
		}
	}
}

func (byAccount) Admits(context.Context, policy.Request) (bool, error) { return true, nil }

func TestAnAccountWithoutItsOwnersMembershipIsRead(t *testing.T) {
	router, db := serve(t)
	err := db.Update(t.Context(), func(tx store.Tx) error {
		user, err := account.Users.Get(t.Context(), tx, own, "IBMid-270000ANN1")
		if err != nil {
			return err
		}
		return account.Users.Delete(t.Context(), tx, user, store.Event{Action: "test"})
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, got := get(t, router, own, own); status != 200 || got["owner_userid"] != "" {
		t.Errorf("%d %v", status, got)
	}
}

func (byAccount) Rights(ctx context.Context, _ policy.Request) (asker.Rights, error) {
	return asker.System.Rights(ctx, "")
}
