package identity_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

// second is another member of the first account.
const second = "IBMid-SECOND"

// owner, member and stranger ask for something.
func owner(s *apitest.Server) asker.Asker    { return s.As(apitest.Owner, acct) }
func member(s *apitest.Server) asker.Asker   { return s.As(user, acct) }
func stranger(s *apitest.Server) asker.Asker { return s.As(apitest.OtherOwner, apitest.Other) }

// restrict has the first account demand roles of those who make service IDs and
// API keys.
func restrict(s *apitest.Server) {
	s.T.Helper()
	settings, err := s.Accounts.Settings(s.T.Context(), acct)
	if err != nil {
		s.T.Fatal(err)
	}
	yes := account.Restricted
	change := apitest.Checked(s.T, account.SettingsChange{RestrictCreateServiceID: &yes, RestrictCreatePlatformAPIKey: &yes})
	if _, err := s.Accounts.UpdateSettings(s.T.Context(), settings, "*", change); err != nil {
		s.T.Fatal(err)
	}
}

// by is the context of what somebody does: objects have a creator by it.
func by(s *apitest.Server, who asker.Asker) context.Context {
	me := who.Subject()
	return store.WithOrigin(s.T.Context(), store.Origin{IAMID: me.IAMID, Account: me.Account})
}

// addServiceID makes a service ID of the first account.
func addServiceID(s *apitest.Server, who asker.Asker) (*identity.ServiceID, error) {
	s.T.Helper()
	v, _, _, err := s.Identity.CreateServiceID(by(s, who), who, apitest.Checked(s.T, identity.NewServiceID{Account: acct, Name: "robot"}))
	return v, err
}

func newServiceID(s *apitest.Server, who asker.Asker) *identity.ServiceID {
	s.T.Helper()
	v, err := addServiceID(s, who)
	if err != nil {
		s.T.Fatal(err)
	}
	return v
}

func addKey(s *apitest.Server, who asker.Asker, n identity.NewAPIKey) (*identity.APIKey, error) {
	s.T.Helper()
	n.Traits.Name = new("key")
	key, _, err := s.Identity.CreateAPIKey(by(s, who), who, apitest.Checked(s.T, n))
	return key, err
}

func newKey(s *apitest.Server, who asker.Asker, n identity.NewAPIKey) *identity.APIKey {
	s.T.Helper()
	key, err := addKey(s, who, n)
	if err != nil {
		s.T.Fatal(err)
	}
	return key
}

// wants demands an error of a kind, nil for none.
func wants(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestMembersMakeServiceIDsUnlessTheAccountRestrictsIt(t *testing.T) {
	s := serve(t)
	s.Grant(second, "ServiceIdCreator", "serviceName=iam-identity")
	try := func(who asker.Asker) error { _, err := addServiceID(s, who); return err }
	wants(t, "a member", try(member(s)), nil)
	wants(t, "somebody of another account", try(stranger(s)), fault.NotFound)
	restrict(s)
	wants(t, "a member of a restricted account", try(member(s)), fault.Forbidden)
	wants(t, "its owner", try(owner(s)), fault.Forbidden)
	wants(t, "a holder of the role", try(s.As(second, acct)), nil)
	wants(t, "somebody of another account", try(stranger(s)), fault.NotFound)
	wants(t, "the server itself", try(asker.System), nil)
}

func TestUsersMakeTheirOwnKeysUnlessTheAccountRestrictsIt(t *testing.T) {
	s := serve(t)
	s.Grant(second, "UserApiKeyCreator", "serviceName=iam-identity")
	try := func(who asker.Asker, n identity.NewAPIKey) error { _, err := addKey(s, who, n); return err }
	wants(t, "one's own", try(member(s), identity.NewAPIKey{IAMID: user}), nil)
	wants(t, "of another user", try(owner(s), identity.NewAPIKey{IAMID: user}), fault.Invalid)
	wants(t, "in another account", try(member(s), identity.NewAPIKey{IAMID: user, Account: apitest.Other}), fault.NotFound)
	wants(t, "by the server itself, nowhere", try(asker.System, identity.NewAPIKey{IAMID: user}), fault.Invalid)
	restrict(s)
	wants(t, "one's own in a restricted account", try(member(s), identity.NewAPIKey{IAMID: user}), fault.Forbidden)
	wants(t, "the owner's", try(owner(s), identity.NewAPIKey{IAMID: apitest.Owner}), fault.Forbidden)
	wants(t, "those of a holder of the role", try(s.As(second, acct), identity.NewAPIKey{IAMID: second}), nil)
	wants(t, "by the server itself", try(asker.System, identity.NewAPIKey{IAMID: user, Account: acct}), nil)
}

// A key lets its holder act as the service ID: editors change service IDs, but
// make no keys.
func TestKeysOfAServiceIDAreMadeByWhoHoldsTheActionOnIt(t *testing.T) {
	s := serve(t)
	robot := newServiceID(s, member(s))
	s.Grant(second, "Editor", "serviceName=iam-identity")
	s.Grant("IBMid-THIRD", "Operator", "serviceName=iam-identity", "resourceType=serviceid", "resource="+robot.ID)
	other := newServiceID(s, owner(s))
	try := func(who asker.Asker, iamID string) error {
		_, err := addKey(s, who, identity.NewAPIKey{IAMID: iamID})
		return err
	}
	wants(t, "its creator", try(member(s), robot.Owner), nil)
	wants(t, "its creator, by the bare id", try(member(s), robot.ID), nil)
	wants(t, "the owner of the account", try(owner(s), robot.ID), nil)
	wants(t, "an editor", try(s.As(second, acct), robot.ID), fault.Forbidden)
	wants(t, "an operator of this one", try(s.As("IBMid-THIRD", acct), robot.ID), nil)
	wants(t, "an operator of another one", try(s.As("IBMid-THIRD", acct), other.ID), fault.Forbidden)
	wants(t, "somebody of another account", try(stranger(s), robot.ID), fault.NotFound)
	wants(t, "of one that is not there", try(owner(s), "ServiceId-none"), fault.NotFound)
	restrict(s)
	wants(t, "its creator in an account that restricts keys of users", try(member(s), robot.ID), nil)
	_, err := addKey(s, owner(s), identity.NewAPIKey{IAMID: robot.ID, Account: apitest.Other})
	wants(t, "in another account than the service ID's", err, fault.Invalid)
}

// What a permission rests on must still be so when it is used.
func TestAPermissionThatEndsMeanwhileIsNotUsed(t *testing.T) {
	s := serve(t)
	s.Meanwhile(func() { restrict(s) })
	_, err := addServiceID(s, member(s))
	wants(t, "a service ID of a member while the account restricts them", err, store.ErrMoved)
	_, err = addServiceID(s, member(s))
	wants(t, "once more", err, fault.Forbidden)

	s = serve(t)
	s.Meanwhile(func() { restrict(s) })
	_, err = addKey(s, member(s), identity.NewAPIKey{IAMID: user})
	wants(t, "a user's key while the account restricts them", err, store.ErrMoved)

	s = serve(t)
	robot := newServiceID(s, member(s))
	s.Meanwhile(func() { wants(t, "deleting", s.Identity.DeleteServiceID(t.Context(), robot), nil) })
	_, err = addKey(s, member(s), identity.NewAPIKey{IAMID: robot.ID})
	wants(t, "a key of a service ID that is deleted", err, store.ErrMoved)
	if n, err := identity.APIKeys.Count(t.Context(), s.DB.Direct(), store.Query{Account: acct}); n != 0 || err != nil {
		t.Errorf("%d keys are left behind, %v", n, err)
	}
}

func TestAStoredValueIsShownToWhoMayMakeKeys(t *testing.T) {
	s := serve(t)
	robot := newServiceID(s, member(s))
	made, value, err := s.Identity.CreateAPIKey(t.Context(), member(s), apitest.Checked(t, identity.NewAPIKey{IAMID: robot.ID,
		Traits: identity.KeyTraits{Name: new("k")}, StoreValue: true}))
	if err != nil {
		t.Fatal(err)
	}
	key, err := s.Identity.APIKey(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.Grant(second, "Editor", "serviceName=iam-identity")
	for name, c := range map[string]struct {
		who  asker.Asker
		sees bool
	}{"its creator": {member(s), true}, "the owner": {owner(s), true}, "an editor": {s.As(second, acct),
		false}, "a stranger": {stranger(s), false}} {
		got, err := s.Identity.StoredValue(t.Context(), c.who, key)
		if err != nil || got.IsZero() == c.sees || c.sees && got.Reveal() != value.Reveal() {
			t.Errorf("%s sees it: %v, %v", name, !got.IsZero(), err)
		}
	}
	unstored, err := s.Identity.APIKey(t.Context(), newKey(s, member(s), identity.NewAPIKey{IAMID: robot.ID}).ID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Identity.StoredValue(t.Context(), owner(s), unstored); !got.IsZero() || err != nil {
		t.Errorf("a key that was not made to be read again: %v", err)
	}
}

func TestActivityIsShownToWhoMaySeeIt(t *testing.T) {
	s := serve(t)
	robot := newServiceID(s, member(s))
	if err := s.DB.AddActivity(t.Context(), []store.Activity{{Account: acct, Subject: robot.ID, Count: 3, Last: s.Now()}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		who  asker.Asker
		sees bool
	}{"its creator": {member(s), true}, "another member": {s.As(second, acct), false}, "a stranger": {stranger(s), false}} {
		got, err := s.Identity.Activity(t.Context(), c.who, &robot.Meta, robot.Resource())
		if err != nil || (got != nil) != c.sees || c.sees && got.Count != 3 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestWhoMayListWhichKeys(t *testing.T) {
	s := serve(t)
	robot := newServiceID(s, member(s))
	newKey(s, member(s), identity.NewAPIKey{IAMID: robot.ID})
	newKey(s, member(s), identity.NewAPIKey{IAMID: user})
	newKey(s, owner(s), identity.NewAPIKey{IAMID: apitest.Owner})
	s.Grant(second, "ApiKeyReviewer", "serviceName=iam-identity")
	all := identity.ListQuery{Scope: identity.ScopeAccount, Account: acct}
	for name, c := range map[string]struct {
		who   asker.Asker
		query identity.ListQuery
		want  []string // IAM ids
		err   error
	}{
		"one's own":                            {member(s), identity.ListQuery{}, []string{user}, nil},
		"one's own, by name":                   {member(s), identity.ListQuery{IAMID: user, Account: acct}, []string{user}, nil},
		"one's own in another account":         {member(s), identity.ListQuery{Account: apitest.Other}, nil, fault.NotFound},
		"those of another user":                {owner(s), identity.ListQuery{IAMID: user}, nil, fault.Invalid},
		"the service ID's, to its creator":     {member(s), identity.ListQuery{IAMID: robot.Owner}, []string{robot.ID}, nil},
		"the service ID's, to the service ID":  {s.As(robot.Owner, acct), identity.ListQuery{}, []string{robot.ID}, nil},
		"the service ID's, to another member":  {s.As(second, acct), identity.ListQuery{IAMID: robot.ID}, nil, fault.Forbidden},
		"the service ID's, in another account": {owner(s), identity.ListQuery{IAMID: robot.ID, Account: apitest.Other}, nil, fault.NotFound},
		"the service ID's, to another account": {stranger(s), identity.ListQuery{IAMID: robot.ID}, nil, fault.NotFound},
		"the service ID's, as of its account":  {stranger(s), identity.ListQuery{IAMID: robot.ID, Account: acct}, nil, fault.NotFound},
		"the account's, to the owner":          {owner(s), all, []string{user, robot.ID, apitest.Owner}, nil},
		"the account's, to a reviewer":         {s.As(second, acct), all, []string{user, robot.ID, apitest.Owner}, nil},
		"the account's, to a member":           {member(s), all, nil, fault.Forbidden},
		"the account's, to another account":    {stranger(s), all, nil, fault.NotFound},
		"the account's, to the server":         {asker.System, all, []string{user, robot.ID, apitest.Owner}, nil},
		"a scope and an identity mean the latter": {member(s), identity.ListQuery{Scope: identity.ScopeAccount, IAMID: user},
			[]string{user}, nil},
	} {
		page, err := s.Identity.ListAPIKeys(t.Context(), c.who, c.query)
		wants(t, name, err, c.err)
		if err != nil {
			continue
		}
		var got []string
		for _, k := range page.Items {
			got = append(got, k.IAMID)
		}
		slices.Sort(got)
		slices.Sort(c.want)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The token of a page holds whose keys are listed: who follows it is asked again.
func TestAPageTokenGivesNoRight(t *testing.T) {
	s := serve(t)
	for range 2 {
		newKey(s, owner(s), identity.NewAPIKey{IAMID: apitest.Owner})
	}
	size := 1
	first, err := s.Identity.ListAPIKeys(t.Context(), owner(s), identity.ListQuery{Size: &size})
	if err != nil {
		t.Fatal(err)
	}
	next := identity.ListQuery{PageToken: first.Next}
	_, err = s.Identity.ListAPIKeys(t.Context(), owner(s), next)
	wants(t, "who began the list", err, nil)
	_, err = s.Identity.ListAPIKeys(t.Context(), member(s), next)
	wants(t, "another user", err, fault.Invalid)
	_, err = s.Identity.ListAPIKeys(t.Context(), stranger(s), next)
	wants(t, "another account", err, fault.Invalid)
}

func TestAProfileMayReadItselfAndItsPreferences(t *testing.T) {
	s := serve(t)
	p := newProfile(s, "p", "")
	prefs := identity.PreferenceOwner{Account: acct, IAMID: p.Owner}
	for name, c := range map[string]struct {
		who asker.Asker
		err error
	}{"the profile": {s.As(p.Owner, acct), nil}, "a member": {member(s), fault.Forbidden}, "a stranger": {stranger(s), fault.NotFound}} {
		wants(t, name+" reads the profile", asker.Need(t.Context(), c.who, "iam-identity.profile.get", p.Resource(), nil), c.err)
		wants(t, name+" reads its preferences", asker.Need(t.Context(), c.who, "iam-identity.preferences.read", prefs.Resource(), nil), c.err)
		if c.err == nil {
			wants(t, name+" changes itself", asker.Need(t.Context(), c.who, "iam-identity.profile.update", p.Resource(), nil), fault.Forbidden)
			wants(t, name+" changes its preferences", asker.Need(t.Context(), c.who, "iam-identity.preferences.update", prefs.Resource(),
				nil), fault.Forbidden)
		}
	}
}

func TestKeysGoWithWhoTheyAreOf(t *testing.T) {
	s := serve(t)
	robot := newServiceID(s, member(s))
	s.Pass(time.Minute)
	for name, c := range map[string]struct {
		n       identity.NewAPIKey
		maker   asker.Asker
		manages asker.Asker
		barred  asker.Asker
	}{
		"a user's":       {identity.NewAPIKey{IAMID: user}, member(s), member(s), s.As(second, acct)},
		"a service ID's": {identity.NewAPIKey{IAMID: robot.ID}, owner(s), member(s), s.As(second, acct)},
	} {
		key, err := s.Identity.APIKey(t.Context(), newKey(s, c.maker, c.n).ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, action := range []string{"iam-identity.apikey.get", "iam-identity.apikey.update", "iam-identity.apikey.delete"} {
			wants(t, name+" "+action, asker.Need(t.Context(), c.manages, action, key.Resource(), nil), nil)
			wants(t, name+" "+action+" by another member", asker.Need(t.Context(), c.barred, action, key.Resource(), nil), fault.Forbidden)
		}
	}
}
