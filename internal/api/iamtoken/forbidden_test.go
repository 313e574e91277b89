package iamtoken_test

import (
	"net/http"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/token"
)

// A password login without an account is bound to none, and nothing forbids it.
// Choosing the account afterwards must meet the same refusal as naming it at
// once.
func TestAPasswordDoesNotReachAnAccountThatForbidsItByWayOfNone(t *testing.T) {
	for _, mfa := range []string{"NONE_NO_ROPC", "TOTP4ALL"} {
		w := newWorld(t)
		w.setPassword()
		w.changeSettings(acctA, func(s *account.Settings) { s.MFA = mfa })
		value := w.mustToken(passwordForm(), bx).text("refresh_token")
		w.wants(w.token(append(refresh(value), "account", acctA), bx), 400, "BXNIM0608E")
		code := w.send(http.MethodPost, "/identity/passcode", pairs(refresh(value)...), bx).text("passcode")
		w.wants(w.token([]string{"grant_type", token.GrantPasscode, "passcode", code, "account", acctA}, bx), 400, "BXNIM0608E")
		w.mustToken(append(refresh(value), "account", acctB), bx)
	}
}

// Whoever guesses a client's secret is slowed down wherever it is asked for.
func TestWrongClientSecretsCountWhereSessionsAreKeptAlive(t *testing.T) {
	w := newWorld(t)
	wrong := func() int {
		return w.send(http.MethodPatch, "/v1/sessions/session-00000000-0000-4000-8000-000000000000/state", "", basic("bx", "guess")).status
	}
	if first := wrong(); first == http.StatusTooManyRequests {
		t.Fatalf("the first guess: %d", first)
	}
	for range 1000 {
		if wrong() == http.StatusTooManyRequests {
			return
		}
	}
	t.Error("a thousand guesses were answered")
}
