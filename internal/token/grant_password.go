package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// passwordGrant logs a local user in. Without an account the first tokens are
// bound to none; the refresh grant then chooses one.
type passwordGrant struct{}

func (passwordGrant) login(ctx context.Context, s *Service, r *Request, client *Client) (*login, error) {
	if client == noClient {
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
	l := &login{lineage: lineage{IAMID: iamID, Account: accountID, Origin: grant}, standing: st, grant: grant, action: action,
		fresh: true, interactive: true}
	return l, s.hear(ctx, l)
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
	if err := errors.Join(s.throttle.open(byTarget, target(username)), s.throttle.open(bySource, source(from))); err != nil {
		return nil, fault.Of(err)
	}
	person, err := account.Logins.Lookup(ctx, s.cfg.DB.Direct(), account.EmailKey(target(username)))
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, fmt.Errorf("looking a login up: %w", err)
	}
	good := false
	if err != nil || person.PasswordHash == "" {
		err = s.cfg.Passwords.VerifyNobody(ctx, password)
	} else {
		good, _, err = s.cfg.Passwords.Verify(ctx, person.PasswordHash, password)
	}
	if err != nil {
		return nil, fmt.Errorf("checking a password: %w", err)
	}
	if !good {
		refused := s.throttle.failed(byTarget, target(username), errPassword(username))
		return nil, s.throttle.failed(bySource, source(from), refused)
	}
	return person, nil
}

// passcodeGrant logs a person in with a one-time passcode.
type passcodeGrant struct{}

// maxPasscode bounds what is looked up as a passcode; ours have 10 characters.
const maxPasscode = 64

func (passcodeGrant) login(ctx context.Context, s *Service, r *Request, client *Client) (*login, error) {
	if client == noClient {
		return nil, errClientMissing(GrantPasscode)
	}
	if r.Passcode.IsZero() {
		return nil, errMissing("passcode")
	}
	if r.Account != "" && !id.IsAccount(r.Account) {
		return nil, errValue("account", r.Account)
	}
	// A passcode has little entropy: whoever failed too often is not asked again.
	limit, who := s.cfg.Limits.Credential, source(r.Address)
	if err := s.throttle.open(limit, who); err != nil {
		return nil, err
	}
	lin, err := s.takePasscode(ctx, r.Passcode)
	if err != nil {
		return nil, s.throttle.failedIfRefused(limit, who, err)
	}
	const action = "iam-identity.user-passcode.login"
	if !lin.bound() {
		l, err := s.personLogin(ctx, lin.IAMID, r.Account, GrantPasscode, action)
		if err == nil && lin.Origin == GrantPassword {
			l.Origin = lin.Origin // what forbids passwords forbids what they open
		}
		return l, err
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
	return &login{lineage: *lin, standing: st, grant: GrantPasscode, action: action, fresh: fresh}, nil
}

// takePasscode uses a passcode up.
func (s *Service) takePasscode(ctx context.Context, code secret.Value) (*lineage, error) {
	if len(code.Reveal()) > maxPasscode {
		return nil, errPasscode()
	}
	rec, err := s.cfg.DB.Tokens().Take(ctx, passcodeSpace, s.passcodeHash.Lookup(code))
	if errors.Is(err, fault.NotFound) {
		return nil, errPasscode()
	}
	if err != nil {
		return nil, fmt.Errorf("taking a passcode: %w", err)
	}
	lin := new(lineage)
	if err := json.Unmarshal(rec.Body, lin); err != nil {
		return nil, fmt.Errorf("decoding a passcode: %w", err)
	}
	return lin, nil
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
	return s.newPasscode(ctx, lineage{IAMID: person.ID, Origin: GrantPasscode})
}

func (s *Service) newPasscode(ctx context.Context, l lineage) (secret.Value, error) {
	code, err := secret.NewPasscode(s.cfg.Random)
	if err != nil {
		return secret.Value{}, err
	}
	body, err := json.Marshal(l)
	if err != nil {
		return secret.Value{}, fmt.Errorf("encoding a passcode: %w", err)
	}
	now := s.cfg.Now()
	err = s.cfg.DB.Tokens().Put(ctx, store.Token{Space: passcodeSpace, Key: s.passcodeHash.Lookup(code), Account: store.System,
		Owner: l.IAMID, Created: now, Expires: now.Add(s.cfg.PasscodeLife), Body: body})
	if err != nil {
		return secret.Value{}, fmt.Errorf("storing a passcode: %w", err)
	}
	return code, nil
}
