package client_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/secret"
)

// serve runs handler and returns a client for it.
func serve(t *testing.T, handler http.HandlerFunc) *client.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return connect(client.Config{Base: server.URL})
}

func connect(cfg client.Config) *client.Client {
	var n atomic.Int32
	cfg.NewID = func() string { return fmt.Sprintf("request-%d", n.Add(1)) }
	cfg.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
	cfg.UserAgent = "kagiban/test"
	cfg.Correlation = "correlation"
	return client.New(cfg)
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func fixed(token string) client.Bearer {
	return func(context.Context, bool) (secret.Value, error) { return secret.New(token), nil }
}

func TestBaseURLOfWhatTheUserWrote(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"iam.example.com", "https://iam.example.com"},
		{" iam.example.com/ ", "https://iam.example.com"},
		{"http://127.0.0.1:4280/", "http://127.0.0.1:4280"},
		{"https://example.com/iam//", "https://example.com/iam"},
		{"http://[::1]:4280", "http://[::1]:4280"},
		{"", ""},
		{"   ", ""},
		{"ftp://example.com", ""},
		{"https://", ""},
		{"https://user:pass@example.com", ""},
		{"https://example.com?x=1", ""},
		{"https://example.com?", ""},
		{"https://example.com#top", ""},
		{"https://exa mple.com", ""},
		{"http://:4280", ""},
	} {
		got, err := client.ParseBase(tt.text)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("ParseBase(%q) = %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
}

func FuzzParseBase(f *testing.F) {
	for _, s := range []string{"iam.example.com", "http://[::1]:80/a%2Fb/", "a://b", "//x", "https://a?b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		base, err := client.ParseBase(text)
		if err != nil {
			return
		}
		again, err := client.ParseBase(base)
		if err != nil || again != base {
			t.Errorf("ParseBase(%q) = %q, which parses to %q, %v", text, base, again, err)
		}
	})
}

func TestACRNStaysOnePathSegment(t *testing.T) {
	got := client.Path("identities", "crn", "crn:v1:bluemix:public:x::a/1::y:z w")
	if want := "/identities/crn/crn:v1:bluemix:public:x::a%2F1::y:z%20w"; got != want {
		t.Errorf("Path = %q, want %q", got, want)
	}
	var seen string
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.URL.EscapedPath()
		answer(w, 200, `{}`)
	})
	if err := api.Call(t.Context(), client.Request{Method: "GET", Path: client.Path("a/b")}, nil); err != nil {
		t.Fatal(err)
	}
	if seen != "/a%2Fb" {
		t.Errorf("the server saw %q", seen)
	}
}

func TestEveryCallCarriesItsIDs(t *testing.T) {
	var got []http.Header
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Clone())
		answer(w, 200, `{}`)
	}).WithBearer(fixed("t"))
	for range 2 {
		if err := api.Call(t.Context(), client.Request{Method: "GET", Path: "/x"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := got[0].Get("X-Request-Id"), got[1].Get("X-Request-Id"); a == "" || a == b {
		t.Errorf("request ids %q and %q must differ", a, b)
	}
	for _, h := range got {
		want := []string{"correlation", "kagiban/test", "Bearer t", "application/json"}
		have := []string{h.Get("X-Correlation-Id"), h.Get("User-Agent"), h.Get("Authorization"), h.Get("Accept")}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("headers (-want +got):\n%s", diff)
		}
	}
}

func TestATokenThatTheServerRefusesIsRenewedOnce(t *testing.T) {
	for _, tt := range []struct {
		name    string
		accepts string
		calls   int
		fails   bool
	}{
		{name: "accepted at once", accepts: "old", calls: 1},
		{name: "renewed", accepts: "new", calls: 2},
		{name: "refused twice", accepts: "other", calls: 2, fails: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			calls := 0
			api := serve(t, func(w http.ResponseWriter, r *http.Request) {
				calls++
				if body, _ := io.ReadAll(r.Body); string(body) != `{"a":1}` {
					t.Errorf("call %d sent %q", calls, body)
				}
				if r.Header.Get("Authorization") != "Bearer "+tt.accepts {
					answer(w, 401, `{"errors":[{"code":"invalid_access_token","message":"provided access token invalid"}]}`)
					return
				}
				answer(w, 200, `{}`)
			}).WithBearer(func(_ context.Context, renew bool) (secret.Value, error) {
				if renew {
					return secret.New("new"), nil
				}
				return secret.New("old"), nil
			})
			err := api.Call(t.Context(), client.Request{Method: "POST", Path: "/x", Body: map[string]int{"a": 1}}, nil)
			if (err != nil) != tt.fails || calls != tt.calls {
				t.Errorf("%d calls, %v; want %d, failure %v", calls, err, tt.calls, tt.fails)
			}
		})
	}
}

func TestErrorTexts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		kind   string
		body   string
		want   string
	}{
		{"token service", 400, "", `{"errorCode":"BXNIM0415E","errorMessage":"Provided API key could not be found."}`,
			"Remote server error. Status code: 400, error code: BXNIM0415E, message: Provided API key could not be found."},
		{"details win", 400, "", `{"errorCode":"BXNIM0109E","errorMessage":"Property missing or empty.","errorDetails":"Property 'apikey' either missing or empty."}`,
			"Remote server error. Status code: 400, error code: BXNIM0109E, message: Property 'apikey' either missing or empty."},
		{"identity API", 404, "", `{"errors":[{"code":"not_found","message_code":"BXNIM0102E","message":"Unable to find object","details":"Object 'x' not found."}],"status_code":404}`,
			"Remote server error. Status code: 404, error code: BXNIM0102E, message: Object 'x' not found."},
		{"details that are an object", 409, "", `{"errors":[{"code":"policy_conflict_error","message":"exists","details":{"a":1}}]}`,
			"Remote server error. Status code: 409, error code: policy_conflict_error, message: exists"},
		{"OAuth", 400, "", `{"error":"invalid_grant","error_description":"too late"}`,
			"Remote server error. Status code: 400, error code: invalid_grant, message: too late"},
		{"several lines", 400, "", `{"errorCode":"X","errorMessage":"a\nOK\r\nb"}`,
			"Remote server error. Status code: 400, error code: X, message: a OK b"},
		{"not JSON", 502, "text/html", "<html>\n<b>bad</b>", "Remote server error. Status code: 502, error code: , message: Bad Gateway"},
		{"plain text", 503, "text/plain", "draining\nmore", "Remote server error. Status code: 503, error code: , message: draining"},
		{"empty", 500, "", "", "Remote server error. Status code: 500, error code: , message: Internal Server Error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, tt.status, tt.body) })
			err := api.Call(t.Context(), client.Request{Method: "GET", Path: "/x"}, nil)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestTooManyRequestsSaysWhenToTryAgain(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		answer(w, 429, `{"errorCode":"X","errorMessage":"slow down"}`)
	})
	err := api.Call(t.Context(), client.Request{Method: "GET", Path: "/x"}, nil)
	if err == nil || !strings.HasSuffix(err.Error(), "slow down (try again in 7 s)") {
		t.Errorf("got %v", err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	calls := 0
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		http.Redirect(w, r, "https://elsewhere.example.com/", http.StatusTemporaryRedirect)
	})
	_, err := api.ByAPIKey(t.Context(), secret.New("k"))
	if err == nil || !strings.Contains(err.Error(), "redirects to https://elsewhere.example.com/") || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestOnlyAFewCodesAskForANewLogin(t *testing.T) {
	for code, want := range map[string]bool{
		"BXNIM0407E": true, "BXNIM0408E": true, "BXNIM0439E": true, "BXNIM0415E": false, "": false,
	} {
		if got := (&client.ServerError{Code: code}).NeedsLogin(); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
}

func TestAnUnreachableServerIsNamed(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	base := server.URL
	server.Close()
	_, err := connect(client.Config{Base: base}).ByAPIKey(t.Context(), secret.New("very-secret-key"))
	var lost *client.UnreachableError
	if !errors.As(err, &lost) || !strings.HasPrefix(err.Error(), "Could not reach "+base+": ") {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "very-secret-key") || strings.Contains(err.Error(), "/identity/token") {
		t.Errorf("the error says too much: %v", err)
	}
}

func TestPlainHTTPBehindAnHTTPSURLIsRecognised(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	_, err := connect(client.Config{Base: strings.Replace(server.URL, "http:", "https:", 1)}).ByAPIKey(t.Context(), secret.New("k"))
	var lost *client.UnreachableError
	if !errors.As(err, &lost) || !lost.PlainHTTP {
		t.Errorf("got %v", err)
	}
}

func TestAnUnknownCertificateIsRefusedUnlessTheUserSaysSo(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{}`) }))
	server.Config.ErrorLog = silentLog()
	server.StartTLS()
	defer server.Close()
	err := connect(client.Config{Base: server.URL}).Call(t.Context(), client.Request{Method: "GET", Path: "/"}, nil)
	var lost *client.UnreachableError
	if !errors.As(err, &lost) || !lost.Certificate {
		t.Errorf("got %v", err)
	}
	if err := connect(client.Config{Base: server.URL, SkipVerify: true}).Call(t.Context(), client.Request{Method: "GET", Path: "/"},
		nil); err != nil {
		t.Errorf("with SkipVerify: %v", err)
	}
}

func TestAListIsReadToItsEnd(t *testing.T) {
	for _, form := range []string{`"%s"`, `{"href":"%s"}`} {
		var queries []url.Values
		api := serve(t, func(w http.ResponseWriter, r *http.Request) {
			queries = append(queries, r.URL.Query())
			switch r.URL.Query().Get("pagetoken") {
			case "":
				answer(w, 200, `{"offset":0,"next":`+fmt.Sprintf(form, "/v1/profiles?pagetoken=two&x=1")+`,"profiles":[{"id":"a"},{"id":"b"}]}`)
			case "two":
				answer(w, 200, `{"offset":2,"profiles":[{"id":"c"}]}`)
			}
		})
		list, err := client.List[client.Profile](t.Context(), api, client.ByToken, "/v1/profiles", "profiles", url.Values{"account_id": {"acct"}})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, p := range client.Values(list) {
			ids = append(ids, p.ID)
		}
		if diff := cmp.Diff([]string{"a", "b", "c"}, ids); diff != "" {
			t.Errorf("ids (-want +got):\n%s", diff)
		}
		want := []url.Values{
			{"account_id": {"acct"}, "pagesize": {"100"}},
			{"account_id": {"acct"}, "pagesize": {"100"}, "pagetoken": {"two"}},
		}
		if diff := cmp.Diff(want, queries); diff != "" {
			t.Errorf("queries (-want +got):\n%s", diff)
		}
	}
}

func TestBrokenPagingEnds(t *testing.T) {
	for _, next := range []string{`"/x?pagetoken=same"`, `"/x?other=1"`, `7`, `"://"`, `{"href":7}`} {
		api := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"next":`+next+`,"profiles":[]}`) })
		if _, err := client.List[client.Profile](t.Context(), api, client.ByToken, "/x", "profiles", nil); err == nil {
			t.Errorf("next %s: no error", next)
		}
	}
}

func TestEveryFamilysListsAreReadToTheirEnd(t *testing.T) {
	for _, tt := range []struct {
		name, query, next string
		pages             client.Pages
	}{
		{"policies", "limit=100&start=two", `"next":{"href":"/x?start=two","start":"two"}`, client.ByStart},
		{"access groups", "limit=100&offset=100", `"next":{"href":"/x?offset=100&limit=100"}`, client.ByOffset},
		{"enterprises", "limit=100&next_docid=two", `"next_url":"/x?next_docid=two"`, client.ByDocument},
	} {
		var queries []string
		api := serve(t, func(w http.ResponseWriter, r *http.Request) {
			queries = append(queries, r.URL.RawQuery)
			if len(queries) == 1 {
				answer(w, 200, `{`+tt.next+`,"items":[{"id":"a"}]}`)
				return
			}
			answer(w, 200, `{"next_url":"","items":[{"id":"b"}]}`)
		})
		list, err := client.List[client.Profile](t.Context(), api, tt.pages, "/x", "items", nil)
		if err != nil || len(list) != 2 {
			t.Errorf("%s: %d items, %v", tt.name, len(list), err)
		}
		if diff := cmp.Diff([]string{"limit=100", tt.query}, queries); diff != "" {
			t.Errorf("%s: queries (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTheEntityTagComesFromHeaderOrBody(t *testing.T) {
	for _, tt := range []struct{ header, body, want string }{
		{"1-a", `{"id":"x"}`, "1-a"}, {"", `{"id":"x","entity_tag":"2-b"}`, "2-b"}, {"1-a", `{"entity_tag":"2-b"}`, "1-a"},
		{"", `{"entity_tag":7}`, ""},
	} {
		api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			if tt.header != "" {
				w.Header().Set("ETag", tt.header)
			}
			answer(w, 200, tt.body)
		})
		got, err := client.Get[struct {
			ID string `json:"id"`
		}](t.Context(), api, "/x")
		if err != nil || got.Tag != tt.want {
			t.Errorf("header %q, body %s: %q, %v", tt.header, tt.body, got.Tag, err)
		}
	}
}

func TestAnObjectKeepsTheServersText(t *testing.T) {
	text := `{"id":"a","unknown":{"z":1,"a":2},"name":"<b>"}`
	var o client.Object[client.Profile]
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	got, err := o.MarshalJSON()
	if err != nil || string(got) != text || o.Value.Name != "<b>" {
		t.Errorf("got %s (%+v), %v", got, o.Value, err)
	}
}

func jwt(claims string) secret.Value {
	enc := base64.RawURLEncoding.EncodeToString
	return secret.New(enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + ".c2ln")
}

func TestClaimsOfAToken(t *testing.T) {
	claims, err := client.ParseClaims(jwt(`{"iam_id":"IBMid-1","sub":"a@b","email":"a@b.example","account":{"bss":"acct","ims":"17"},"exp":1000}`))
	if err != nil {
		t.Fatal(err)
	}
	if claims.User() != "a@b.example" || claims.Account.ID != "acct" || claims.Account.Classic != "17" {
		t.Errorf("got %+v", claims)
	}
	if !claims.ExpiresBefore(time.Unix(1000, 0)) || claims.ExpiresBefore(time.Unix(999, 0)) {
		t.Error("a token is dead at exp and alive one second before")
	}
	profile, err := client.ParseClaims(jwt(`{"iam_id":"iam-Profile-1","sub":"Profile-1","sub_type":"Profile"}`))
	if err != nil || profile.User() != "Profile-1" {
		t.Errorf("a profile is shown as %q, %v", profile.User(), err)
	}
}

func FuzzParseClaims(f *testing.F) {
	f.Add(jwt(`{"iam_id":"x"}`).Reveal())
	f.Add("a.b.c")
	f.Add("a.e30=.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := client.ParseClaims(secret.New(token))
		if err == nil && claims.IAMID == "" {
			t.Error("a token without an identity was accepted")
		}
		if err != nil && len(token) > 12 && strings.Contains(err.Error(), token) {
			t.Error("the error quotes the token")
		}
	})
}

func TestGrantsSendWhatTheTokenServiceReads(t *testing.T) {
	var form url.Values
	var auth string
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, _ = url.ParseQuery(string(body))
		auth = r.Header.Get("Authorization")
		answer(w, 200, `{"access_token":"a","refresh_token":"not_supported"}`)
	})
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		call func() (client.Token, error)
		want url.Values
	}{
		{"API key", func() (client.Token, error) { return api.ByAPIKey(ctx, secret.New("k")) },
			url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {"k"}}},
		{"password", func() (client.Token, error) { return api.ByPassword(ctx, "u", secret.New("p"), "") },
			url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}}},
		{"passcode", func() (client.Token, error) { return api.ByPasscode(ctx, secret.New("c")) },
			url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:passcode"}, "passcode": {"c"}}},
		{"refresh", func() (client.Token, error) { return api.ByRefreshToken(ctx, secret.New("r"), "") },
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r"}}},
		{"account switch", func() (client.Token, error) { return api.ByRefreshToken(ctx, secret.New("r"), "acct") },
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r"}, "account": {"acct"}, "bss_account": {"acct"}}},
		{"assume", func() (client.Token, error) { return api.Assume(ctx, secret.New("t"), "Profile-1") },
			url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:assume"}, "access_token": {"t"}, "profile_id": {"Profile-1"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token, err := tt.call()
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Set("response_type", "cloud_iam")
			if diff := cmp.Diff(tt.want, form); diff != "" {
				t.Errorf("form (-want +got):\n%s", diff)
			}
			if auth != "Basic Yng6Yng=" {
				t.Errorf("Authorization = %q", auth)
			}
			if token.Access.Reveal() != "a" || !token.Refresh.IsZero() {
				t.Error("not_supported must not count as a refresh token")
			}
		})
	}
}

func TestAnAnswerWithoutTokenIsAnError(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"hello":"world"}`) })
	if _, err := api.ByAPIKey(t.Context(), secret.New("k")); err == nil || !strings.Contains(err.Error(), "is it an IAM server?") {
		t.Errorf("got %v", err)
	}
}

func TestASlowServerIsGivenUp(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	_, err := connect(client.Config{Base: server.URL, Timeout: 20 * time.Millisecond}).ByAPIKey(t.Context(), secret.New("k"))
	if err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
}
