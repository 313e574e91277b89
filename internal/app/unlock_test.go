package app_test

import (
	"errors"
	"log/slog"
	"net/url"
	"testing"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/fault"
)

// Whoever is kept out by the account's own demands gets in again by way of the
// operator, and by no other.
func TestAnOwnerWhoIsLockedOutGetsInByTheOperator(t *testing.T) {
	stores(t, func(t *testing.T, set config.Settings) {
		first, err := app.Init(t.Context(), &set, app.Founder{Email: "owner@example.com"})
		if err != nil {
			t.Fatal(err)
		}
		start := func() *server {
			return run(t, func(c *app.Config) { c.Settings = set; c.Dev = nil; c.Listen = "127.0.0.1:0" })
		}
		login := url.Values{"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"}, "apikey": {first.Key.Reveal()}}
		s := start()
		path := "/v1/accounts/" + first.Account + "/settings/identity"
		token := authorizedAs(t, s.grant(login))
		s.want(200, "PUT", path, `{"allowed_ip_addresses":"192.0.2.1","mfa":"LEVEL3"}`, nil, append(token, "If-Match", "*")...)
		s.want(401, "POST", "/identity/token", login.Encode(), nil, "Content-Type", "application/x-www-form-urlencoded")
		if err := s.end(); err != nil {
			t.Fatal(err)
		}

		if _, err := app.Unlock(t.Context(), &set, slog.New(slog.DiscardHandler), "nobody"); !errors.Is(err, fault.NotFound) {
			t.Errorf("an account that is not there: %v", err)
		}
		still, err := app.Unlock(t.Context(), &set, slog.New(slog.DiscardHandler), first.Account)
		if err != nil || still {
			t.Fatal(still, err)
		}
		s = start()
		var got struct {
			Addresses string `json:"allowed_ip_addresses"`
			MFA       string `json:"mfa"`
		}
		s.want(200, "GET", path, "", &got, authorizedAs(t, s.grant(login))...)
		if got.Addresses != "" || got.MFA != "NONE" {
			t.Errorf("%+v", got)
		}
	})
}
