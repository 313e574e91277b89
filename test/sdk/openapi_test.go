package sdk

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/test/sdk/contract"
)

// watched is a client whose traffic is compared with the OpenAPI document.
type watched struct {
	t     *testing.T
	base  string
	http  *http.Client
	token string
}

func (w *watched) send(method, path, media, body string, header ...string) (int, map[string]any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	if w.token != "" {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var out map[string]any
	if json.Unmarshal(bytes.TrimSpace(raw), &out) != nil {
		out = nil // a page or a list
	}
	return resp.StatusCode, out
}

// form posts a form and wants success.
func (w *watched) form(path string, pairs url.Values, header ...string) map[string]any {
	w.t.Helper()
	code, out := w.send(http.MethodPost, path, "application/x-www-form-urlencoded", pairs.Encode(), header...)
	if code/100 != 2 {
		w.t.Fatalf("POST %s: %d %v", path, code, out)
	}
	return out
}

// get wants success.
func (w *watched) get(path string, header ...string) map[string]any {
	w.t.Helper()
	code, out := w.send(http.MethodGet, path, "", "", header...)
	if code != http.StatusOK {
		w.t.Fatalf("GET %s: %d %v", path, code, out)
	}
	return out
}

// The document is what other programs are generated from: a full validator must
// accept it, and what the server says must be what it promises.
func TestTheServerKeepsToItsOpenAPIDocument(t *testing.T) {
	d := startDemo(t)
	checker, err := contract.New(t.Context(), d.url(t))
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, base: d.url(t), http: &http.Client{Transport: checker}}
	tokenEndpoints(w, d)
	account := d.get(t, "ACCOUNT_ID")
	in := "?account_id=" + account
	for _, path := range []string{
		"/", "/openapi.json", "/healthz", "/readyz", "/metrics", "/v1/serviceids" + in, "/v1/apikeys" + in, "/v1/profiles" + in,
		"/v1/accounts/" + account + "/settings/identity?include_history=true", "/v1/serviceid_groups" + in, "/v1/idps" + in,
		"/v1/policies" + in, "/v2/policies" + in, "/v2/roles" + in, "/v2/groups" + in, "/v1/enterprises?enterprise_account_id=" + account,
		"/v1/account-groups?enterprise_id=" + d.get(t, "ENTERPRISE_ID"), "/v1/accounts?enterprise_id=" + d.get(t, "ENTERPRISE_ID"),
		"/kagiban/v1/accounts/" + account + "/events?last=5", "/dev/v1/clock", "/dev/v1/requests", "/dev/v1/faults", "/dev/v1/events",
	} {
		w.get(path)
	}
	for _, bad := range []string{"/v1/serviceids", "/v1/serviceids/nobody", "/v1/policies/nobody", "/v2/groups/nobody", "/nowhere"} {
		if code, _ := w.send(http.MethodGet, bad, "", ""); code/100 != 4 {
			t.Errorf("GET %s: %d", bad, code)
		}
	}
	for _, f := range checker.Faults() {
		t.Error(f)
	}
	for _, operation := range []string{"iamtoken_get_token", "iamtoken_get_keys", "iamtoken_create_passcode", "system_get_metrics",
		"iamidentityv1_list_service_ids"} {
		if checker.Answered(operation) == 0 {
			t.Errorf("nothing of %s was compared", operation)
		}
	}
}

// tokenEndpoints visits everything under /identity and leaves a token behind.
func tokenEndpoints(w *watched, d demo) {
	const basic = "Basic Yng6Yng=" // bx:bx
	w.get("/identity/keys")
	w.get("/identity/.well-known/openid-configuration")
	w.get("/.well-known/openid-configuration")
	w.get("/identity/passcode")
	w.get("/identity/logout")
	w.get("/identity/userinfo") // with the error of no token

	login := w.form("/identity/token", url.Values{"grant_type": {"password"}, "username": {d.get(w.t, "CONSOLE_USER")},
		"password": {d.get(w.t, "CONSOLE_PASSWORD")}}, "Authorization", basic)
	refresh := login["refresh_token"].(string)
	w.form("/identity/passcode", url.Values{"refresh_token": {refresh}}, "Authorization", basic)
	w.form("/identity/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, "Authorization", basic)
	token := w.form("/identity/token", url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {d.get(w.t, "APIKEY")},
		"response_type": {"cloud_iam delegated_refresh_token"}, "receiver_client_ids": {"kube"}})
	access := token["access_token"].(string)
	w.form("/identity/introspect", url.Values{"token": {access}}, "Authorization", basic)
	w.form("/identity/introspect", url.Values{"token": {"x"}}, "Authorization", basic)
	w.form("/identity/userinfo", url.Values{"access_token": {access}})
	w.form("/identity/profiles", url.Values{"access_token": {access}})
	w.form("/identity/token", url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:assume"}, "access_token": {access},
		"profile_id": {d.get(w.t, "PROFILE_ID")}})
	if code, _ := w.send(http.MethodPost, "/identity/token", "application/x-www-form-urlencoded",
		"grant_type=nothing"); code != http.StatusBadRequest {
		w.t.Errorf("an unknown grant: %d", code)
	}
	w.token = access
	w.get("/identity/userinfo")
	w.get("/identity/profiles")
}
