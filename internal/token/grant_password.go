package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// bySource bounds those who show credentials, by where they come from.
func (s *Service) bySource(from netip.Addr) throttle.Bound {
	return throttle.Bound{Limit: s.cfg.Limits.Credential, Who: throttle.Source(from)}
}

// checkPassword gives the local credential of a user name and password. Every
// reason to refuse reads the same and takes the same time.
func (s *Service) checkPassword(ctx context.Context, username string, password secret.Value, from netip.Addr) (_ *account.Login,
	err error) {
	if username == "" {
		return nil, errMissing("username")
	}
	if password.IsZero() {
		return nil, errMissing("password")
	}
	attempt, err := s.throttle.Reserve(ctx, throttle.Bound{Limit: s.cfg.Limits.PasswordSource, Who: throttle.Source(from)},
		throttle.Bound{Limit: s.cfg.Limits.PasswordTarget, Who: target(username)})
	if err != nil {
		return nil, err
	}
	defer func() { err = attempt.Done(err) }()
	person, err := account.Logins.Lookup(ctx, s.cfg.DB.Direct(), account.EmailKey(target(username)))
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("looking a login up: %w", err)
	}
	good, outdated := false, false
	if err != nil || person.PasswordHash == "" {
		err = s.cfg.Passwords.VerifyNobody(ctx, password)
	} else {
		good, outdated, err = s.cfg.Passwords.Verify(ctx, person.PasswordHash, password)
	}
	if err != nil {
		return nil, fmt.Errorf("checking a password: %w", err)
	}
	if !good {
		return nil, errPassword(username)
	}
	if outdated {
		s.renew(ctx, person, password)
	}
	return person, nil
}

// renew replaces a hash that was made with other parameters than today's. That
// it cannot be stored keeps nobody out: the next login tries again.
func (s *Service) renew(ctx context.Context, person *account.Login, password secret.Value) {
	hash, err := s.cfg.Passwords.Hash(ctx, password)
	if err == nil {
		err = account.RenewPassword(ctx, s.cfg.DB, person, hash)
	}
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "the hash of a password could not be renewed", slog.String("iam_id", person.ID),
			slog.String("error", err.Error()))
	}
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
	lin, err := s.takePasscode(ctx, r)
	if err != nil {
		return nil, err
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

// takePasscode uses a passcode up. It has little entropy: whoever failed too
// often is not heard.
func (s *Service) takePasscode(ctx context.Context, r *Request) (_ *session.Lineage, err error) {
	attempt, err := s.throttle.Reserve(ctx, s.bySource(r.Address))
	if err != nil {
		return nil, err
	}
	defer func() { err = attempt.Done(err) }()
	return s.sessions.TakePasscode(ctx, r.Passcode)
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
