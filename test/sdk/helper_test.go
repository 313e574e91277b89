package sdk

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/IBM/go-sdk-core/v5/core"
	"github.com/IBM/platform-services-go-sdk/iamidentityv1"

	"github.com/kagiban/kagiban/test/sdk/devserver"
)

// binary is the kagiban that every test of this package starts.
var binary string

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	if os.Getenv("KAGIBAN_ENV_FILE") != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "kagiban-sdk-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if binary, err = devserver.Binary(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// demo is the environment of a kagiban dev server.
type demo map[string]string

// startDemo gives the test a server of its own, or the one whose environment
// file KAGIBAN_ENV_FILE names.
func startDemo(t *testing.T) demo {
	t.Helper()
	if path := os.Getenv("KAGIBAN_ENV_FILE"); path != "" {
		env, err := devserver.ReadEnvFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return env
	}
	server, err := devserver.Start(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		if crash := server.Crash(); crash != "" {
			t.Errorf("the server is broken: %s", crash)
		} else if t.Failed() {
			t.Logf("server log:\n%s", server.Log())
		}
	})
	return server.Env
}

// get returns a value of the environment file; a test cannot go on without it.
func (d demo) get(t *testing.T, key string) string {
	t.Helper()
	value := d["KAGIBAN_"+key]
	if value == "" {
		t.Fatalf("the environment file has no KAGIBAN_%s", key)
	}
	return value
}

func (d demo) url(t *testing.T) string { return d.get(t, "URL") }

// moveClock sets the server's clock to the real time plus offset and puts it
// back when the test ends.
func (d demo) moveClock(t *testing.T, offset time.Duration) {
	t.Helper()
	d.setClock(t, time.Now().Add(offset))
	t.Cleanup(func() { d.setClock(t, time.Now()) })
}

func (d demo) setClock(t *testing.T, to time.Time) {
	t.Helper()
	d.postClock(t, map[string]string{"set": to.UTC().Format(time.RFC3339)})
}

func (d demo) postClock(t *testing.T, body map[string]string) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(d.url(t)+"/dev/v1/clock", "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		answer, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // only for the message
		t.Fatalf("moving the clock to %s: status %d: %s", text, resp.StatusCode, answer)
	}
}

// identity is the platform SDK's client, authenticated by auth.
func (d demo) identity(t *testing.T, auth core.Authenticator) *iamidentityv1.IamIdentityV1 {
	t.Helper()
	client, err := iamidentityv1.NewIamIdentityV1(&iamidentityv1.IamIdentityV1Options{URL: d.url(t), Authenticator: auth})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// owner is the identity client of the demo's owner.
func (d demo) owner(t *testing.T) *iamidentityv1.IamIdentityV1 {
	t.Helper()
	return d.identity(t, d.keyAuth(t, d.get(t, "APIKEY")))
}

func (d demo) keyAuth(t *testing.T, apikey string) *core.IamAuthenticator {
	t.Helper()
	auth, err := core.NewIamAuthenticatorBuilder().SetApiKey(apikey).SetURL(d.url(t)).Build()
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// tokenClaims are the claims that these tests look at.
type tokenClaims struct {
	IAMID   string `json:"iam_id"`
	SubType string `json:"sub_type"`
	Account struct {
		BSS string `json:"bss"`
	} `json:"account"`
	IssuedAt int64 `json:"iat"`
	Expires  int64 `json:"exp"`
}

// claimsOf decodes a token without verifying it, as a client does.
func claimsOf(t *testing.T, token string) tokenClaims {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("token has %d parts, want 3", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatalf("decoding payload: %v", err)
	}
	var c tokenClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatalf("parsing claims: %v", err)
	}
	return c
}

// accepts says whether the server takes the token as a caller's.
func (d demo) accepts(t *testing.T, token string) bool {
	t.Helper()
	client := d.identity(t, &core.BearerTokenAuthenticator{BearerToken: token})
	_, resp, err := client.GetAccountSettings(client.NewGetAccountSettingsOptions(d.get(t, "ACCOUNT_ID")))
	if resp == nil {
		t.Fatalf("reading account settings: %v", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return true
	case http.StatusUnauthorized:
		return false
	}
	t.Fatalf("reading account settings with a token: status %d: %v", resp.StatusCode, err)
	return false
}

// mustToken asks the authenticator for a token.
func mustToken(t *testing.T, auth interface{ GetToken() (string, error) }) string {
	t.Helper()
	token, err := auth.GetToken()
	if err != nil {
		t.Fatalf("getting a token: %v", err)
	}
	return token
}
