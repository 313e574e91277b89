package token

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/throttle"
)

// passwordGrant logs a local user in. Without an account the first tokens are
// bound to none; the refresh grant then chooses one.
type passwordGrant struct{}

func (passwordGrant) login(ctx context.Context, s *Service, r *Request, client *oauth.Client) (*login, error) {
	if client == oauth.Nobody {
		return nil, errClientMissing(GrantPassword)
	}
	if r.Account != "" && !id.IsAccount(r.Account) {
		return nil, errValue("account", r.Account)
	}
	person, err := s.checkPassword(ctx, r.Username, r.Password, r.Address)
	if err != nil {
		return nil, err
	}
	return s.personLogin(ctx, person.ID, r.Account, GrantPassword, "iam-identity.user-refreshtoken.login")
}

// personLogin is the login of a person who has proved who it is.
func (s *Service) personLogin(ctx context.Context, iamID, accountID, grant, action string) (*login, error) {
	st, err := s.userIn(ctx, iamID, accountID)
	if err != nil {
		return nil, err
	}
	l := &login{Lineage: session.Lineage{IAMID: iamID, Account: accountID, Origin: grant}, standing: st, grant: grant, action: action,
		fresh: true, interactive: true}
	return l, s.hear(ctx, l)
}

// hear reads what is said of a person who logs in.
func (s *Service) hear(ctx context.Context, l *login) error {
	known, err := get(ctx, s.state, account.Logins, store.System, l.IAMID)
	if errors.Is(err, fault.NotFound) {
		return nil // it has no local credential any more, and nobody speaks for it
	}
	if err != nil {
		return fmt.Errorf("reading what is said of a user: %w", err)
	}
	if len(known.Claims) > 0 {
		l.realm, l.said = known.Realm, known.Claims
		if l.realm == "" {
			l.realm, _, _ = strings.Cut(l.IAMID, "-")
		}
	}
	return nil
}

// checkPassword gives the local credential of a user name and password. Every
// reason to refuse reads the same and takes the same time.
func (s *Service) checkPassword(ctx context.Context, username string, password secret.Value, from netip.Addr) (*account.Login, error) {
	if username == "" {
		return nil, errMissing("username")
	}
	if password.IsZero() {
		return nil, errMissing("password")
	}
	bySource, byTarget := s.cfg.Limits.PasswordSource, s.cfg.Limits.PasswordTarget
	if err := errors.Join(s.throttle.Open(byTarget, target(username)), s.throttle.Open(bySource, throttle.Source(from))); err != nil {
		return nil, fault.Of(err)
	}
	person, err := account.Logins.Lookup(ctx, s.cfg.DB.Direct(), account.EmailKey(target(username)))
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("looking a login up: %w", err)
	}
	good := false
	if err != nil || person.PasswordHash == "" {
		err = s.passwords.VerifyNobody(ctx, password)
	} else {
		good, _, err = s.passwords.Verify(ctx, person.PasswordHash, password)
	}
	if err != nil {
		return nil, fmt.Errorf("checking a password: %w", err)
	}
	if !good {
		refused := s.throttle.Failed(byTarget, target(username), errPassword(username))
		return nil, s.throttle.Failed(bySource, throttle.Source(from), refused)
	}
	return person, nil
}

// passcodeGrant logs a person in with a one-time passcode.
type passcodeGrant struct{}

func (passcodeGrant) login(ctx context.Context, s *Service, r *Request, client *oauth.Client) (*login, error) {
	if client == oauth.Nobody {
		return nil, errClientMissing(GrantPasscode)
	}
	if r.Passcode.IsZero() {
		return nil, errMissing("passcode")
	}
	if r.Account != "" && !id.IsAccount(r.Account) {
		return nil, errValue("account", r.Account)
	}
	// A passcode has little entropy: whoever failed too often is not asked again.
	limit, who := s.cfg.Limits.Credential, throttle.Source(r.Address)
	if err := s.throttle.Open(limit, who); err != nil {
		return nil, err
	}
	lin, err := s.sessions.TakePasscode(ctx, r.Passcode)
	if err != nil {
		return nil, s.throttle.FailedIfRefused(limit, who, err)
	}
	const action = "iam-identity.user-passcode.login"
	if !bound(lin) {
		l, err := s.personLogin(ctx, lin.IAMID, r.Account, GrantPasscode, action)
		if err != nil {
			return nil, err
		}
		if lin.Origin == GrantPassword {
			l.Origin = lin.Origin // what forbids passwords forbids what they open
		}
		l.Roots, l.Within, l.Until = lin.Roots, lin.Within, lin.Until
		return l, nil
	}
	// The passcode came from a login that is bound to its account, by an API key
	// or a profile. It must not become one that may choose.
	if r.Account != "" && r.Account != lin.Account {
		return nil, errSwitch(lin.Origin)
	}
	st, err := s.resume(ctx, lin)
	if err != nil {
		return nil, err
	}
	fresh := lin.Session != ""
	lin.Session = ""
	return &login{Lineage: *lin, standing: st, grant: GrantPasscode, action: action, fresh: fresh}, nil
}

// PasscodeFor makes a passcode for a local user who proves to be one by e-mail
// address and password: the page of GET /identity/passcode.
func (s *Service) PasscodeFor(ctx context.Context, username string, password secret.Value, from netip.Addr) (secret.Value, error) {
	person, err := s.checkPassword(ctx, username, password, from)
	if err != nil {
		return secret.Value{}, err
	}
	if _, err := s.userIn(ctx, person.ID, ""); err != nil {
		return secret.Value{}, err
	}
	return s.sessions.NewPasscode(ctx, session.Lineage{IAMID: person.ID, Origin: GrantPasscode})
}

// target names the user that an attempt is for. It is bounded because it comes
// from the caller.
func target(username string) string {
	username = strings.ToLower(strings.TrimSpace(username))
	if len(username) > maxUsername {
		username = username[:maxUsername]
	}
	return username
}

// maxUsername is the longest e-mail address (RFC 5321 section 4.5.3.1).
const maxUsername = 254
