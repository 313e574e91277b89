package iamtoken_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/store"
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

// TOTP is demanded of users of the default realm only, of tokens as in reports.
func TestTOTPIsNotDemandedOfUsersOfOtherRealms(t *testing.T) {
	const federated, key = "appid-42", "a key of the federated user's"
	w := newWorld(t)
	w.write(func(ctx context.Context, tx store.Tx) error {
		return account.Users.Create(ctx, tx, &account.User{Meta: store.Meta{Account: acctA, ID: federated, Owner: federated, Name: "Fay"},
			Email: "fay@example.com", State: account.Active}, store.Event{})
	})
	w.addKey("ApiKey-9", acctA, federated, key, nil)
	w.trust(profileB, acctB, "user", federated, acctA)
	w.trust(profileB, acctB, "user", userIAM, acctA)
	theirs, ours := w.mustToken(apikey(key)).text("access_token"), w.mustToken(apikey(userKey)).text("access_token")
	w.changeSettings(acctB, func(s *account.Settings) { s.MFA = "TOTP" })
	w.mustToken(assume(theirs, "profile_id", profileB))
	w.wants(w.token(assume(ours, "profile_id", profileB)), 400, "BXNIM0398E")
	w.changeSettings(acctB, func(s *account.Settings) { s.MFA = "TOTP4ALL" })
	w.wants(w.token(assume(theirs, "profile_id", profileB)), 400, "BXNIM0398E")
	w.changeSettings(acctB, func(s *account.Settings) { s.UserMFA = []account.UserMFA{{IAMID: federated, MFA: "NONE"}} })
	w.mustToken(assume(theirs, "profile_id", profileB))
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
