package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/kagiban/kagiban/internal/httpapi"
)

func TestCoverageComparesTheTableWithTheSDK(t *testing.T) {
	identity := &httpapi.Family{Name: "iamidentityv1", WriteError: httpapi.WriteErrors}
	type keyID struct {
		ID string `path:"key_id"`
	}
	covered, err := httpapi.Cover([]httpapi.Operation{
		httpapi.OldOp(identity, "get_api_key", http.MethodGet, "/v1/apikeys/{key_id}", 200, public(), nil, echo[keyID]),
		httpapi.OldNotBuilt(identity, "list_idps", http.MethodGet, "/v1/idps", 200, public()),
		httpapi.OldOp(identity, "delete_api_key", http.MethodPost, "/v1/apikeys/{key_id}", 204, public(), nil, echo[keyID]),
		httpapi.OldOp(identity, "our_own", http.MethodGet, "/own", 200, public(), nil, echo[empty]),
	})
	if err != nil {
		t.Fatal(err)
	}
	got, count := map[string]httpapi.State{}, 0
	for _, c := range covered {
		if c.Family == "iamidentityv1" {
			got[c.Operation] = c.State
			count++
		}
	}
	if count != 103+1 {
		t.Errorf("the SDK's identity package has 103 operations; with ours there are %d", count)
	}
	for operation, want := range map[string]httpapi.State{
		"get_api_key": httpapi.StateBuilt, "list_idps": httpapi.StateNotBuilt, "delete_api_key": httpapi.StateWrong,
		"our_own": httpapi.StateOwn, "create_api_key": httpapi.StateAbsent,
	} {
		if got[operation] != want {
			t.Errorf("%s is %q, want %q", operation, got[operation], want)
		}
	}
}
