package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/store"
)

// assumeGrant lets a user or service ID act as a trusted profile that names it
// in its list of trusted identities, in whatever account the profile lies.
type assumeGrant struct{}

// assumer is who wants to assume a profile.
type assumer struct {
	iamID, account string
	kind           policy.SubjectKind
	authn          session.Authn
	origin         session.Lineage // where its login came from
	// login holds what was said of a person at the login.
	login policy.Subject
	// rule is the claim rule that admitted before, in a login that goes on.
	rule string
}

// trustKey names a question about trust: who, and by which words for the profile.
type trustKey struct {
	profile, name, named string // id, or name and its account
	iamID, account       string
}

// trusted is the answer: the profile with its standing, while the stamps hold,
// and the claim rule that admitted, nil for those in the profile's list.
type trusted struct {
	standing *standing
	rule     *identity.ClaimRule
}

func (assumeGrant) login(ctx context.Context, s *Service, r *Request, client *oauth.Client) (*login, error) {
	profile, name, named, err := profileOf(r)
	if err != nil {
		return nil, err
	}
	who, err := s.assumer(ctx, r, client)
	if err != nil {
		return nil, err
	}
	by, err := s.trust(ctx, who, trustKey{profile, name, named, who.iamID, who.account})
	if err != nil {
		return nil, err
	}
	st, authn, from := by.standing, who.authn, &who.origin
	l := &login{
		Lineage: session.Lineage{IAMID: st.iamID, Account: st.account, Origin: GrantAssume, KeyID: from.KeyID,
			Authn: &authn, AuthnAccount: who.account, Roots: from.Roots, Within: from.Within, Until: from.Until},
		standing: st, grant: GrantAssume, action: "iam-identity.trustedprofile-apikey.login",
		// A profile assumed out of a login session gets a session of its own.
		fresh: from.Session != "",
	}
	if by.rule != nil {
		end := s.cfg.Now().Add(time.Duration(by.rule.Expiration) * time.Second)
		if l.Rule = by.rule.ID; l.Until.IsZero() || end.Before(l.Until) {
			l.Until = end
		}
	}
	return l, nil
}

// assumer judges the credential of an assume request, of which there must be
// exactly one.
func (s *Service) assumer(ctx context.Context, r *Request, client *oauth.Client) (*assumer, error) {
	switch {
	case r.AccessToken.IsZero() && r.RefreshToken.IsZero():
		return nil, errMissing("access_token")
	case !r.AccessToken.IsZero() && !r.RefreshToken.IsZero():
		return nil, errValue("refresh_token", "", "either access_token or refresh_token")
	case !r.RefreshToken.IsZero():
		t, err := s.presentRefresh(ctx, r, client)
		if err != nil {
			return nil, err
		}
		st, err := s.resume(ctx, &t.Lineage)
		if err != nil {
			return nil, err
		}
		if err := st.checkAddress(r.Address); err != nil {
			return nil, err
		}
		who := &assumer{iamID: st.iamID, account: st.account, kind: st.kind, authn: st.claims.Authn, origin: t.Heir()}
		return who, s.recall(ctx, who)
	}
	b, err := s.bearer(ctx, r.AccessToken.Reveal())
	if err != nil {
		return nil, tokenFault(err)
	}
	if shut := b.admit(r.Address); shut != nil {
		return nil, errAddress(r.Address, shut.text)
	}
	c := b.claims
	who := &assumer{iamID: c.IAMID, account: c.Account.BSS, kind: c.Kind(), authn: c.Authn, login: b.holder().Subject}
	if who.origin, err = s.heir(ctx, b); err == nil && c.KeyID != "" && who.kind != policy.KindProfile { // which may assume nothing anyway
		// The token works on without its key, and begins nothing new.
		err = s.keyStillGood(ctx, c.KeyID)
	}
	return who, err
}

// recall completes an assumer with what was said of it at its login.
func (s *Service) recall(ctx context.Context, who *assumer) error {
	if who.origin.Session == "" || who.kind != policy.KindUser {
		return nil
	}
	login, err := s.sessions.LoginOf(ctx, who.account, who.origin.Session)
	if err == nil && login != nil {
		who.login = *login
	}
	return err
}

// tokenFault words a refused access token for the token envelope.
func tokenFault(err error) error {
	if !errors.Is(err, fault.Unauthenticated) {
		return err
	}
	return errTokenInvalid(fault.Of(err).Details)
}

// profileOf reads which profile is meant: by id, by CRN, or by name and
// account. A name in an account of its own is looked up there only.
func profileOf(r *Request) (profile, name, accountID string, err error) {
	given := 0
	for _, p := range []string{r.ProfileID, r.ProfileCRN, r.ProfileName} {
		if p != "" {
			given++
		}
	}
	switch {
	case given == 0:
		return "", "", "", errMissing("profile_id")
	case given > 1:
		return "", "", "", errValue("profile_id", r.ProfileID, "one of profile_id, profile_crn, profile_name")
	case r.ProfileID != "":
		return bare(r.ProfileID), "", "", nil
	case r.ProfileName != "" && r.Account == "":
		return "", "", "", errMissing("account")
	case r.ProfileName != "":
		return "", r.ProfileName, r.Account, nil
	}
	c, err := crn.Parse(r.ProfileCRN)
	if err != nil || c.Service != "iam-identity" || c.ResourceType != "profile" {
		return "", "", "", errValue("profile_crn", r.ProfileCRN)
	}
	return c.Resource, "", c.Account(), nil
}

// bare takes the "iam-" off an IAM id, which some callers send for the id.
func bare(profileID string) string {
	if objectID, ok := id.OfIAM(profileID); ok {
		return objectID
	}
	return profileID
}

// words repeats what the caller called the profile, so that an unknown profile
// and one that does not trust the caller give the same answer.
func (k *trustKey) words() string {
	if k.name != "" {
		return k.name
	}
	return id.IAMOf(k.profile)
}

// trust answers whether somebody may act as a profile. The answer is kept as
// long as neither account has changed.
func (s *Service) trust(ctx context.Context, who *assumer, key trustKey) (*trusted, error) {
	if who.kind == policy.KindProfile {
		return nil, refuse(fault.Invalid, "BXNIM0398E", "Selected trusted profile not eligible.",
			"A token of a trusted profile cannot be used to assume another profile.")
	}
	if len(key.profile) > maxProfileName || len(key.name) > maxProfileName {
		return nil, errNotEligible(who.iamID, key.words())
	}
	if hit, ok := s.trusts.Get(key); ok && s.state.holds(&hit.standing.stamps) {
		return hit, nil
	}
	began := s.state.begin(who.account)
	p, err := s.profile(ctx, &key)
	if errors.Is(err, fault.NotFound) {
		return nil, errNotEligible(who.iamID, key.words())
	}
	if err != nil {
		return nil, fmt.Errorf("reading a profile: %w", err)
	}
	s.state.watch(&began, p.Account)
	out := &trusted{}
	if out.rule, err = s.eligible(ctx, who, p, key.words()); err != nil {
		return nil, err
	}
	st, err := s.profileIn(ctx, p.Account, p.ID, who.authn)
	if errors.Is(err, fault.NotFound) {
		return nil, errNotEligible(who.iamID, key.words())
	}
	if err != nil {
		return nil, err
	}
	if who.kind == policy.KindUser && st.rules.MFAOf(who.iamID).Factor {
		// No login of this server has a second factor, so none is high enough.
		return nil, refuse(fault.Invalid, "BXNIM0398E", "Selected trusted profile not eligible.",
			"Account "+p.Account+" demands multi-factor authentication, which the token does not have.")
	}
	if err := s.bindAddresses(ctx, st, who.kind, who.iamID, who.account); err != nil {
		return nil, err
	}
	st.stamps.accounts = append(st.stamps.accounts, began.accounts...)
	out.standing = st
	if out.rule == nil { // what a rule admits is a login, not a person
		s.trusts.Put(key, out)
	}
	return out, nil
}

// maxProfileName is more than the longest name or id of a profile.
const maxProfileName = 512

func (s *Service) profile(ctx context.Context, key *trustKey) (*identity.Profile, error) {
	if key.name != "" {
		return lookup(ctx, s.state, identity.Profiles, identity.ProfileName(key.named, key.name))
	}
	if !strings.HasPrefix(key.profile, id.Profile) {
		return nil, fault.NotFound
	}
	p, err := get(ctx, s.state, identity.Profiles, "", key.profile)
	if err == nil && key.named != "" && p.Account != key.named {
		return nil, fault.NotFound // a CRN that names another account
	}
	return p, err
}

// eligible looks the caller up in the profile's list of trusted identities. A
// user is trusted for the accounts that the entry names, without any for the
// profile's own; the token must be of one of them. Whoever is not in the list
// may be admitted by a claim rule, which it gives.
func (s *Service) eligible(ctx context.Context, who *assumer, p *identity.Profile, words string) (*identity.ClaimRule, error) {
	entries, err := identity.Trusts.List(ctx, s.cfg.DB.Direct(), store.Query{Account: p.Account, Parent: p.ID, Owner: who.iamID})
	if err != nil {
		return nil, fmt.Errorf("reading the trusted identities of profile %s: %w", p.ID, err)
	}
	if slices.ContainsFunc(entries, func(t *identity.Trust) bool { return trusts(t, who.account) }) {
		return nil, nil
	}
	rule, err := s.admits(ctx, who, p)
	if err == nil && rule == nil {
		err = errNotEligible(who.iamID, words)
	}
	return rule, err
}

// trusts tells whether an entry counts for a caller of the account.
func trusts(t *identity.Trust, accountID string) bool {
	switch t.Type {
	case "user":
		if len(t.Accounts) == 0 {
			return accountID == t.Account
		}
		return accountID != "" && slices.Contains(t.Accounts, accountID)
	case "serviceid":
		return true
	}
	return false
}

// assumed gives the standing of a profile login that goes on: the one who
// assumed it must still be somebody, and still be trusted.
func (s *Service) assumed(ctx context.Context, l *session.Lineage) (*standing, error) {
	origin := session.Lineage{IAMID: l.Authn.IAMID, Account: l.AuthnAccount}
	before, err := s.resume(ctx, &origin)
	if err != nil {
		return nil, err
	}
	who := &assumer{iamID: before.iamID, account: before.account, kind: before.kind, authn: *l.Authn, rule: l.Rule}
	objectID, _ := id.OfIAM(l.IAMID)
	by, err := s.trust(ctx, who, trustKey{profile: objectID, named: l.Account, iamID: who.iamID, account: who.account})
	if err != nil {
		return nil, err
	}
	return by.standing, nil
}

// Assumable lists the profiles that the holder of an access or refresh token
// may assume, in all accounts, by their creation. Profiles of accounts that are
// not active are left out.
func (s *Service) Assumable(ctx context.Context, r *Request) ([]*identity.Profile, error) {
	client, err := s.clients.Authenticate(ctx, r.Client, r.Address)
	if err != nil {
		return nil, err
	}
	who, err := s.assumer(ctx, r, client)
	if err != nil {
		return nil, err
	}
	if who.kind == policy.KindProfile {
		return nil, nil
	}
	open, err := s.openTo(ctx, who)
	if err != nil {
		return nil, err
	}
	var out []*identity.Profile
	for _, t := range open {
		a, err := get(ctx, s.state, account.Accounts, t.Account, t.Account)
		if errors.Is(err, fault.NotFound) || err == nil && a.State != account.Active {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading account %s: %w", t.Account, err)
		}
		p, err := get(ctx, s.state, identity.Profiles, t.Account, t.Parent)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading profile %s: %w", t.Parent, err)
		}
		if !slices.ContainsFunc(out, func(o *identity.Profile) bool { return o.ID == p.ID }) {
			out = append(out, p)
		}
	}
	return out, nil
}

// openTo gives the profiles, as accounts and parents, that somebody may assume:
// those with it in their list, and those of its account with a rule for it.
func (s *Service) openTo(ctx context.Context, who *assumer) ([]store.Meta, error) {
	entries, err := identity.Trusts.List(ctx, s.cfg.DB.Direct(), store.Query{Owner: who.iamID})
	if err != nil {
		return nil, fmt.Errorf("listing the profiles that trust an identity: %w", err)
	}
	var out []store.Meta
	for _, t := range entries {
		if trusts(t, who.account) {
			out = append(out, t.Meta)
		}
	}
	if len(who.login.Claims) == 0 || who.account == "" {
		return out, nil
	}
	rules, err := identity.Rules.List(ctx, s.cfg.DB.Direct(), store.Query{Account: who.account})
	if err != nil {
		return nil, fmt.Errorf("listing the claim rules of an account: %w", err)
	}
	for _, rule := range rules {
		if fits(rule, &who.login) {
			out = append(out, rule.Meta)
		}
	}
	return out, nil
}
