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
	covered, err := httpapi.Cover(httpapi.Table(identity,
		httpapi.Op[keyID, httpapi.None, keyID]{ID: "get_api_key", Method: http.MethodGet, Path: "/v1/apikeys/{key_id}", Status: 200,
			Public: public, Do: echo[keyID]},
		httpapi.NotBuilt{ID: "list_idps", Method: http.MethodGet, Path: "/v1/idps", Status: 200, Public: public},
		httpapi.Op[keyID, httpapi.None, keyID]{ID: "delete_api_key", Method: http.MethodPost, Path: "/v1/apikeys/{key_id}", Status: 204,
			Public: public, Do: echo[keyID]},
		httpapi.Op[empty, httpapi.None, empty]{ID: "our_own", Method: http.MethodGet, Path: "/own", Status: 200, Public: public, Do: echo[empty]},
	))
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
