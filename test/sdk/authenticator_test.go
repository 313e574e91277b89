package sdk

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/IBM/go-sdk-core/v5/core"
)

func TestIamAuthenticatorGetsATokenForAnAPIKey(t *testing.T) {
	d := startDemo(t)
	clients := []struct{ name, id, secret string }{
		{name: "without a client"},
		{name: "with the command line's client", id: "bx", secret: "bx"},
	}
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			builder := core.NewIamAuthenticatorBuilder().SetApiKey(d.get(t, "APIKEY")).SetURL(d.url(t))
			if c.id != "" {
				builder.SetClientIDSecret(c.id, c.secret)
			}
			auth, err := builder.Build()
			if err != nil {
				t.Fatal(err)
			}
			response, err := auth.RequestToken()
			if err != nil {
				t.Fatal(err)
			}
			claims := claimsOf(t, response.AccessToken)
			if claims.IAMID != d.get(t, "IAM_ID") || claims.Account.BSS != d.get(t, "ACCOUNT_ID") {
				t.Errorf("token is for %s in %s", claims.IAMID, claims.Account.BSS)
			}
			if response.TokenType != "Bearer" {
				t.Errorf("token_type = %q", response.TokenType)
			}
			if claims.Expires != response.Expiration || claims.Expires-claims.IssuedAt != response.ExpiresIn {
				t.Errorf("claims %d to %d, response expires at %d in %d s",
					claims.IssuedAt, claims.Expires, response.Expiration, response.ExpiresIn)
			}
			if got, want := response.RefreshToken == "not_supported", c.id == ""; got != want {
				t.Errorf("refresh token not supported: %v, want %v", got, want)
			}
			if !d.accepts(t, response.AccessToken) {
				t.Error("the server does not accept its own token")
			}
		})
	}
}

func TestIamAuthenticatorRefreshesWithTheClientOfTheFirstToken(t *testing.T) {
	d := startDemo(t)
	first, err := core.NewIamAuthenticatorBuilder().SetApiKey(d.get(t, "APIKEY")).
		SetURL(d.url(t)).SetClientIDSecret("bx", "bx").Build()
	if err != nil {
		t.Fatal(err)
	}
	response, err := first.RequestToken()
	if err != nil {
		t.Fatal(err)
	}
	refresh := func(id, secret string) (string, error) {
		auth, err := core.NewIamAuthenticatorBuilder().SetRefreshToken(response.RefreshToken).
			SetURL(d.url(t)).SetClientIDSecret(id, secret).Build()
		if err != nil {
			t.Fatal(err)
		}
		return auth.GetToken()
	}
	token, err := refresh("bx", "bx")
	if err != nil {
		t.Fatalf("refreshing: %v", err)
	}
	if claims := claimsOf(t, token); claims.IAMID != d.get(t, "IAM_ID") {
		t.Errorf("refreshed token is for %s", claims.IAMID)
	}
	if !d.accepts(t, token) {
		t.Error("the server does not accept the refreshed token")
	}
	if _, err := refresh("kube", "kube"); err == nil {
		t.Error("another client redeemed the refresh token")
	}
}

func TestWrongKeyAndWrongClientAreRefused(t *testing.T) {
	d := startDemo(t)
	tests := []struct {
		name, key, id, secret string
		status                int
		code                  string
	}{
		{name: "unknown API key", key: "no-such-key", status: 400, code: "BXNIM0415E"},
		{name: "client with a wrong secret", key: d.get(t, "APIKEY"), id: "bx", secret: "wrong", status: 401, code: "BXNIM0310E"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			builder := core.NewIamAuthenticatorBuilder().SetApiKey(tt.key).SetURL(d.url(t))
			if tt.id != "" {
				builder.SetClientIDSecret(tt.id, tt.secret)
			}
			auth, err := builder.Build()
			if err != nil {
				t.Fatal(err)
			}
			response, err := auth.RequestToken()
			if err == nil {
				t.Fatalf("got a token for %s", claimsOf(t, response.AccessToken).IAMID)
			}
			var refusal *core.AuthenticationError
			if !errors.As(err, &refusal) || refusal.Response == nil {
				t.Fatalf("error = %v, want the server's refusal", err)
			}
			body, _ := refusal.Response.Result.(map[string]any) // nil when it is no JSON object
			if status := refusal.Response.StatusCode; status != tt.status || body["errorCode"] != tt.code {
				t.Errorf("status %d, body %v, want %d with code %s", status, body, tt.status, tt.code)
			}
			if body["errorMessage"] == nil || body["errorMessage"] == "" {
				t.Errorf("body %v has no errorMessage", body)
			}
			if strings.Contains(err.Error(), tt.key) {
				t.Error("the error text holds the API key")
			}
		})
	}
}

func TestExpiredTokenIsRejectedByTheServer(t *testing.T) {
	d := startDemo(t)
	token := mustToken(t, d.keyAuth(t, d.get(t, "APIKEY")))
	if !d.accepts(t, token) {
		t.Fatal("a fresh token is not accepted")
	}
	t.Cleanup(func() { d.setClock(t, time.Now()) })
	d.postClock(t, map[string]string{"advance": "2h"})
	if d.accepts(t, token) {
		t.Error("the token is still accepted two hours later")
	}
	if token := mustToken(t, d.keyAuth(t, d.get(t, "APIKEY"))); !d.accepts(t, token) {
		t.Error("a token made two hours later is not accepted")
	}
}

// The authenticator goes by the client's clock, so the server issues the first
// token in the past instead.
func TestIamAuthenticatorRenewsAnExpiredToken(t *testing.T) {
	d := startDemo(t)
	auth := d.keyAuth(t, d.get(t, "APIKEY"))
	d.moveClock(t, -2*time.Hour)
	expired := mustToken(t, auth)
	d.setClock(t, time.Now())
	if d.accepts(t, expired) {
		t.Fatal("the expired token is accepted")
	}
	renewed := mustToken(t, auth)
	if renewed == expired {
		t.Fatal("the authenticator kept the expired token")
	}
	if !d.accepts(t, renewed) {
		t.Error("the renewed token is not accepted")
	}
	if again := mustToken(t, auth); again != renewed {
		t.Error("the authenticator does not keep a token that is still good")
	}
}

func TestIamAuthenticatorRenewsInTheBackgroundBeforeExpiry(t *testing.T) {
	d := startDemo(t)
	auth := d.keyAuth(t, d.get(t, "APIKEY"))
	d.moveClock(t, -50*time.Minute) // 10 of 60 minutes left: past the 80 % mark
	ageing := mustToken(t, auth)
	d.setClock(t, time.Now())
	if !d.accepts(t, ageing) {
		t.Fatal("a token with ten minutes left is not accepted")
	}
	if got := mustToken(t, auth); got != ageing {
		t.Fatal("the caller had to wait for the renewal")
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for mustToken(t, auth) == ageing {
		select {
		case <-deadline:
			t.Fatal("no renewed token after ten seconds")
		case <-tick.C:
		}
	}
}
