package iamtoken_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/token"
)

// logBook keeps what is logged.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBook) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// actions gives the audit actions in their order.
func (l *logBook) actions(t *testing.T) (actions []string) {
	t.Helper()
	lines := bufio.NewScanner(strings.NewReader(l.text()))
	for lines.Scan() {
		var line struct{ Msg, Action, IAMID, Outcome string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		if line.Msg == "login" || line.Msg == "logout" {
			actions = append(actions, line.Action)
		}
	}
	return actions
}

func TestEachLoginIsToldWithItsAuditActionAndWithoutSecrets(t *testing.T) {
	book := new(logBook)
	w := newWorld(t, func(c *apitest.TokenConfig) {
		c.Log = slog.New(slog.NewJSONHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.setPassword()
	w.trust(profileB, acctB, "user", userIAM, acctA)
	user := w.mustToken(apikey(cliKey), bx)
	w.mustToken(apikey(svcKey))
	profile := w.mustToken(assume(user.text("access_token"), "profile_id", profileB))
	login := w.mustToken(passwordForm(), bx)
	chosen := w.mustToken(refresh(login.text("refresh_token"), "account", acctA), bx)
	code := w.send(http.MethodPost, "/identity/passcode", pairs(refresh(chosen.text("refresh_token"))...), bx).text("passcode")
	w.mustToken([]string{"grant_type", token.GrantPasscode, "passcode", code}, bx)
	w.send(http.MethodPost, "/identity/logout", pairs("refresh_token", chosen.text("refresh_token")), bx)
	w.token(apikey("s3cret-that-is-no-key"))
	w.token([]string{"grant_type", "password", "username", email, "password", "s3cret-that-is-wrong"}, bx)
	w.send(http.MethodPost, "/identity/token?apikey=s3cret-in-the-query&grant_type=x", "")
	w.send(http.MethodGet, "/whoami", "", bearer("s3cret-bearer"))

	want := []string{"iam-identity.user-apikey.login", "iam-identity.serviceid-apikey.login", "iam-identity.trustedprofile-apikey.login",
		"iam-identity.user-refreshtoken.login", "iam-identity.user-refreshtoken.login", "iam-identity.user-passcode.login",
		"iam-identity.user.logout"}
	if diff := cmp.Diff(want, book.actions(t)); diff != "" {
		t.Errorf("audit actions (-want +got):\n%s", diff)
	}
	log := book.text()
	for _, s := range []string{cliKey, svcKey, password, code, "s3cret", user.text("access_token"), user.text("refresh_token"),
		chosen.text("refresh_token"), profile.text("access_token")} {
		if strings.Contains(log, s) {
			t.Errorf("the log holds %q", s)
		}
	}
}
