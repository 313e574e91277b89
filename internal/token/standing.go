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
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/store"
)

// standing is an identity in an account: that it may have tokens at all, under
// which limits, and what they say of it. It is shared and never changed.
type standing struct {
	kind    policy.SubjectKind
	iamID   string
	account string // "" for a person's login that is not bound to an account yet
	// enterprise is the one that the account belongs to, for the tenant header.
	enterprise string
	// claims say who the subject is and where; the rest is filled in per exchange.
	claims FixedClaims
	life   lifetimes
	// lists are the allowed addresses: a caller must be in each of them.
	lists []allowed
	// demand is what the account asks of a person who logs in. rules are those of
	// the account, for a profile: what it asks depends on who assumes it.
	demand account.Demand
	rules  *account.Rules
	stamps stamps
}

// allowed is a list of addresses with its text, which an error shows.
type allowed struct {
	list account.AddressList
	text string
}

// checkAddress refuses callers from elsewhere.
func (st *standing) checkAddress(from netip.Addr) error {
	for i := range st.lists {
		if !st.lists[i].list.Allows(from) {
			return errAddress(from, st.lists[i].text)
		}
	}
	return nil
}

// checkTenant honours the header ibm-cloud-tenant: a comma-separated list of
// account and enterprise ids, one of which must be the identity's.
func (st *standing) checkTenant(tenants string) error {
	if tenants == "" {
		return nil
	}
	for t := range strings.SplitSeq(tenants, ",") {
		t = strings.TrimSpace(t)
		if t != "" && (t == st.account || t == st.enterprise) {
			return nil
		}
	}
	return errTenant()
}

func (st *standing) restrict(texts ...string) {
	st.lists = append(st.lists, restricting(texts...)...)
}

// activeAccount gives an account whose identities may have tokens.
func (s *Service) activeAccount(ctx context.Context, accountID string) (*account.Account, error) {
	a, err := get(ctx, s.state, account.Accounts, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return nil, errAccountInactive(accountID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading account %s: %w", accountID, err)
	}
	if a.State != account.Active {
		return nil, errAccountInactive(accountID)
	}
	return a, nil
}

// settings gives the settings of an account, which exist without being stored.
func (s *Service) settings(ctx context.Context, accountID string) (*account.Settings, error) {
	set, err := get(ctx, s.state, account.SettingsByAcct, accountID, accountID)
	if errors.Is(err, fault.NotFound) {
		return account.DefaultSettings(accountID), nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the settings of account %s: %w", accountID, err)
	}
	return set, nil
}

// memberships gives a person's accounts, in order of their creation.
func (s *Service) memberships(ctx context.Context, iamID string) (*memberships, error) {
	users := s.state.users.Load()
	if m, ok := s.state.members.Get(iamID); ok && m.users == users {
		return m, nil
	}
	list, err := account.Users.List(ctx, s.cfg.DB.Direct(), store.Query{Owner: iamID})
	if err != nil {
		return nil, fmt.Errorf("listing the accounts of a user: %w", err)
	}
	m := &memberships{users: users, list: list}
	s.state.members.Put(iamID, m)
	return m, nil
}

// userIn gives the standing of a person in an account, under the settings of
// that account alone: what other accounts set is nothing to it, or a stranger
// could shorten what a person has elsewhere. With account "" it is that of a
// person who has logged in and not chosen an account.
func (s *Service) userIn(ctx context.Context, iamID, accountID string) (*standing, error) {
	if accountID == "" {
		return s.userAlone(ctx, iamID)
	}
	st := &standing{kind: policy.KindUser, iamID: iamID, account: accountID, stamps: s.state.begin(accountID)}
	u, err := get(ctx, s.state, account.Users, accountID, iamID)
	if errors.Is(err, fault.NotFound) {
		return nil, errUserInactive()
	}
	if err != nil {
		return nil, fmt.Errorf("reading user %s: %w", iamID, err)
	}
	if u.State != account.UserActive {
		return nil, errUserInactive()
	}
	acct, err := s.activeAccount(ctx, accountID)
	if err != nil {
		return nil, err
	}
	set, err := s.settings(ctx, accountID)
	if err != nil {
		return nil, err
	}
	st.claims, st.life = userClaims(u), lifetimesOf(set)
	st.bindUser(u, acct, set)
	return st, nil
}

// userAlone gives the standing of a person who has chosen no account, under the
// defaults of the server. Their first account in which they are active says who
// they are.
func (s *Service) userAlone(ctx context.Context, iamID string) (*standing, error) {
	st := &standing{kind: policy.KindUser, iamID: iamID, stamps: s.state.begin(), life: lifetimesOf(account.DefaultSettings(""))}
	st.stamps.watchUsers, st.stamps.users = true, s.state.users.Load()
	members, err := s.memberships(ctx, iamID)
	if err != nil {
		return nil, err
	}
	for _, u := range members.list {
		if u.State != account.UserActive {
			continue
		}
		s.state.watch(&st.stamps, u.Account)
		_, err := s.activeAccount(ctx, u.Account)
		if errors.Is(err, fault.Invalid) {
			continue
		}
		if err != nil {
			return nil, err
		}
		st.claims = userClaims(u)
		return st, nil
	}
	return nil, errUserInactive()
}

// bindUser fills in what the chosen account says.
func (st *standing) bindUser(u *account.User, a *account.Account, set *account.Settings) {
	st.enterprise = a.Enterprise
	st.claims.Account = AccountClaims{Valid: true, BSS: a.ID, IMS: a.Classic}
	st.restrict(append(set.AddressLists(), u.AllowedIPs)...)
	st.demand = set.InForce().MFAOf(u.ID)
}

// serviceIDIn gives the standing of a service ID. objectID is "ServiceId-…".
func (s *Service) serviceIDIn(ctx context.Context, objectID, accountID string) (*standing, error) {
	st := &standing{kind: policy.KindServiceID, iamID: id.IAMOf(objectID), account: accountID, stamps: s.state.begin(accountID)}
	sid, err := get(ctx, s.state, identity.ServiceIDs, accountID, objectID)
	if errors.Is(err, fault.NotFound) {
		return nil, errKeyUnknown() // keys vanish with their service ID
	}
	if err != nil {
		return nil, fmt.Errorf("reading service ID %s: %w", objectID, err)
	}
	st.claims = serviceIDClaims(sid)
	return st, s.bindAccount(ctx, st)
}

// profileIn gives the standing of a trusted profile that somebody acts through,
// fault.NotFound if there is none.
func (s *Service) profileIn(ctx context.Context, accountID, objectID string, authn session.Authn) (*standing, error) {
	st := &standing{kind: policy.KindProfile, iamID: id.IAMOf(objectID), account: accountID, stamps: s.state.begin(accountID)}
	p, err := get(ctx, s.state, identity.Profiles, accountID, objectID)
	if err != nil {
		return nil, fmt.Errorf("reading profile %s: %w", objectID, err)
	}
	st.claims = profileClaims(p, authn)
	return st, s.bindAccount(ctx, st)
}

// bindAccount fills in what the account says to an identity that has only one.
func (s *Service) bindAccount(ctx context.Context, st *standing) error {
	a, err := s.activeAccount(ctx, st.account)
	if err != nil {
		return err
	}
	set, err := s.settings(ctx, st.account)
	if err != nil {
		return err
	}
	st.enterprise = a.Enterprise
	st.claims.Account = AccountClaims{Valid: true, BSS: a.ID, IMS: a.Classic}
	st.restrict(set.AddressLists()...)
	st.life = lifetimesOf(set)
	st.rules = set.InForce()
	return nil
}
