package identity_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

func newGroup(s *apitest.Server, name string) *identity.ServiceIDGroup {
	s.T.Helper()
	g, err := s.Identity.CreateGroup(s.T.Context(), apitest.Checked(s.T, identity.NewGroup{Account: acct, Name: name}))
	if err != nil {
		s.T.Fatal(err)
	}
	return g
}

var renamed = "renamed"

// A decision is about an object as it was found: what somebody else wrote or
// deleted since is not written over.
func TestNothingIsWrittenOverAnotherVersionThanWasFound(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	ids := s.Identity
	for name, try := range map[string]func() (other, own func() error){
		"a service ID": func() (_, _ func() error) {
			v := newServiceID(s, member(s))
			return func() error { _, err := ids.LockServiceID(ctx, v, true); return err },
				func() error {
					_, err := ids.UpdateServiceID(ctx, v, "*", apitest.Checked(t, identity.ServiceIDChange{Name: &renamed}))
					return err
				}
		},
		"a service ID that is deleted": func() (_, _ func() error) {
			v := newServiceID(s, member(s))
			return func() error { return ids.DeleteServiceID(ctx, v) }, func() error { return ids.DeleteServiceID(ctx, v) }
		},
		"a key": func() (_, _ func() error) {
			k := newKey(s, member(s), identity.NewAPIKey{IAMID: user})
			return func() error { _, err := ids.DisableAPIKey(ctx, k, true); return err },
				func() error {
					_, err := ids.UpdateAPIKey(ctx, k, "*", apitest.Checked(t, identity.APIKeyChange{Traits: identity.KeyTraits{Name: &renamed}}))
					return err
				}
		},
		"a key that is locked": func() (_, _ func() error) {
			k := newKey(s, member(s), identity.NewAPIKey{IAMID: user})
			return func() error { _, err := ids.LockAPIKey(ctx, k, true); return err }, func() error { return ids.DeleteAPIKey(ctx, k) }
		},
		"a group": func() (_, _ func() error) {
			g := newGroup(s, "taken")
			change := apitest.Checked(t, identity.GroupChange{Name: "other"})
			return func() error { _, err := ids.UpdateGroup(ctx, g, "*", change); return err },
				func() error { return ids.DeleteGroup(ctx, g) }
		},
		"a profile": func() (_, _ func() error) {
			p := newProfile(s, "taken", "")
			return func() error { return ids.DeleteProfile(ctx, p) },
				func() error {
					_, err := ids.UpdateProfile(ctx, p, "*", apitest.Checked(t, identity.ProfileChange{Name: &renamed}))
					return err
				}
		},
		"a part of a profile": func() (_, _ func() error) {
			p := newProfile(s, "whole", "")
			return func() error { return ids.DeleteProfile(ctx, p) },
				func() error {
					_, err := ids.SetTrust(ctx, p, apitest.Checked(t, identity.TrustSpec{Type: identity.TrustUser, Identifier: second}))
					return err
				}
		},
	} {
		other, own := try()
		s.Meanwhile(func() { wants(t, name+", somebody else", other(), nil) })
		wants(t, name, own(), store.ErrMoved)
	}
}

func TestAnEntityTagOfAnotherVersionIsRefused(t *testing.T) {
	s := serve(t)
	v := newServiceID(s, member(s))
	changed, err := s.Identity.UpdateServiceID(t.Context(), v, v.Tag, apitest.Checked(t, identity.ServiceIDChange{Name: &renamed}))
	if err != nil || changed.Name != renamed || v.Name == renamed {
		t.Fatalf("%+v, %v; what was found is %q", changed, err, v.Name)
	}
	_, err = s.Identity.UpdateServiceID(t.Context(), changed, v.Tag, apitest.Checked(t, identity.ServiceIDChange{Name: &renamed}))
	wants(t, "the tag from before", err, fault.Stale)
	if errors.Is(err, store.ErrMoved) && strings.Contains(err.Error(), "Others keep") {
		t.Error("a wrong tag is said to be somebody else's write")
	}
}

func TestALockKeepsAnObjectAsItIs(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	v := newServiceID(s, member(s))
	key := newKey(s, member(s), identity.NewAPIKey{IAMID: v.ID, Locked: true})
	_, err := s.Identity.UpdateAPIKey(ctx, key, "*", apitest.Checked(t, identity.APIKeyChange{Traits: identity.KeyTraits{Name: &renamed}}))
	wants(t, "changing a locked key", err, fault.Conflict)
	_, err = s.Identity.DisableAPIKey(ctx, key, true)
	wants(t, "disabling it", err, fault.Conflict)
	wants(t, "deleting it", s.Identity.DeleteAPIKey(ctx, key), fault.Conflict)
	wants(t, "deleting its service ID", s.Identity.DeleteServiceID(ctx, v), fault.Conflict)
	same, err := s.Identity.LockAPIKey(ctx, key, true)
	if err != nil || same.Version != key.Version {
		t.Errorf("locking it again wrote version %d, %v", same.Version, err)
	}
	if key, err = s.Identity.LockAPIKey(ctx, key, false); err != nil {
		t.Fatal(err)
	}
	wants(t, "deleting the service ID of the unlocked key", s.Identity.DeleteServiceID(ctx, v), nil)
	_, err = s.Identity.APIKey(ctx, key.ID)
	wants(t, "the key of a service ID that is gone", err, fault.NotFound)

	v = newServiceID(s, member(s))
	if v, err = s.Identity.LockServiceID(ctx, v, true); err != nil {
		t.Fatal(err)
	}
	_, err = s.Identity.UpdateServiceID(ctx, v, "*", apitest.Checked(t, identity.ServiceIDChange{Name: &renamed}))
	wants(t, "changing a locked service ID", err, fault.Conflict)
	wants(t, "deleting it", s.Identity.DeleteServiceID(ctx, v), fault.Conflict)
}

func TestSessionsAreForKeysOfUsers(t *testing.T) {
	s := serve(t)
	robot := newServiceID(s, member(s))
	yes := apitest.Checked(t, identity.APIKeyChange{Traits: identity.KeyTraits{SupportSessions: new(true)}})
	_, err := s.Identity.UpdateAPIKey(t.Context(), newKey(s, member(s), identity.NewAPIKey{IAMID: robot.ID}), "*", yes)
	wants(t, "a service ID's key", err, fault.Invalid)
	_, err = s.Identity.UpdateAPIKey(t.Context(), newKey(s, member(s), identity.NewAPIKey{IAMID: user}), "*", yes)
	wants(t, "a user's key", err, nil)
	with := identity.NewServiceID{Account: apitest.Account, Name: "robot", Key: &identity.NewAPIKey{
		Traits: identity.KeyTraits{Name: new("k"), SupportSessions: new(true)}}}
	if err := with.Validate(); !errors.Is(err, fault.Invalid) || fault.Of(err).Field != "apikey.support_sessions" {
		t.Errorf("a key that is born with its service ID: %v", err)
	}
}

func TestAGroupGoesWhenItIsEmpty(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	g := newGroup(s, "robots")
	_, err := s.Identity.CreateGroup(ctx, apitest.Checked(t, identity.NewGroup{Account: acct, Name: "robots"}))
	wants(t, "a second group of the name", err, fault.Conflict)
	v, _, _, err := s.Identity.CreateServiceID(ctx, member(s), apitest.Checked(t, identity.NewServiceID{Account: acct, Name: "r",
		Group: g.ID}))
	if err != nil {
		t.Fatal(err)
	}
	wants(t, "deleting a group that holds a service ID", s.Identity.DeleteGroup(ctx, g), fault.Conflict)
	wants(t, "deleting the service ID", s.Identity.DeleteServiceID(ctx, v), nil)
	wants(t, "deleting the empty group", s.Identity.DeleteGroup(ctx, g), nil)
	_, _, _, err = s.Identity.CreateServiceID(ctx, member(s), apitest.Checked(t, identity.NewServiceID{Account: acct, Name: "r", Group: g.ID}))
	wants(t, "a service ID in a group that is gone", err, fault.NotFound)
}

// fill makes one thing after another until something stands in the way.
func fill(t *testing.T, what string, limit int, add func(i int) error) {
	t.Helper()
	for i := range limit {
		if err := add(i); err != nil {
			t.Fatalf("%s %d of %d: %v", what, i+1, limit, err)
		}
	}
	wants(t, fmt.Sprintf("%s beyond %d", what, limit), add(limit), fault.Limit)
}

func TestAnAccountHoldsWhatItsLimitsAllow(t *testing.T) {
	s := serve(t, func(o *apitest.Options) {
		o.Identity = identity.Limits{APIKeysPerIdentity: 2, ServiceIDsPerGroup: 3, ServiceIDGroups: 2, Profiles: 2, RulesPerProfile: 2,
			LinksPerProfile: 2, Links: 3, IdentitiesPerProfile: 2}
	})
	ids := s.Identity
	ctx := t.Context()
	fill(t, "profile", 2, func(i int) error {
		_, err := ids.CreateProfile(ctx, apitest.Checked(t, identity.NewProfile{Account: acct, Name: fmt.Sprint(i)}))
		return err
	})
	profiles, err := listed(s, identity.ListQuery{Account: acct})
	if err != nil || len(profiles.Items) != 2 {
		t.Fatalf("%+v, %v", profiles, err)
	}
	p, q := profiles.Items[0], profiles.Items[1]
	fill(t, "key", 2, func(int) error { _, err := addKey(s, member(s), identity.NewAPIKey{IAMID: user}); return err })
	wants(t, "a key of another user", func() error {
		_, err := addKey(s, owner(s),
			identity.NewAPIKey{IAMID: apitest.Owner})
		return err
	}(), nil)
	fill(t, "service ID", 3, func(int) error { _, err := addServiceID(s, member(s)); return err })
	fill(t, "group", 2, func(i int) error {
		_, err := ids.CreateGroup(ctx, apitest.Checked(t, identity.NewGroup{Account: acct, Name: fmt.Sprint(i)}))
		return err
	})
	fill(t, "rule", 2, func(int) error {
		_, err := ids.CreateRule(ctx, p, apitest.Checked(t, samlRule("x")))
		return err
	})
	link := func(p *identity.Profile) func(i int) error {
		return func(i int) error { _, err := ids.CreateLink(ctx, p, apitest.Checked(t, linkTo(acct, i))); return err }
	}
	fill(t, "link of the profile", 2, link(p))
	fill(t, "link of the account", 1, link(q))
	fill(t, "trusted identity", 2, func(i int) error {
		_, err := ids.SetTrust(ctx, p, apitest.Checked(t, identity.TrustSpec{Type: identity.TrustUser, Identifier: fmt.Sprint("IBMid-", i)}))
		return err
	})
	three := identity.TrustSpecs{{Type: identity.TrustUser, Identifier: "IBMid-A"}, {Type: identity.TrustUser, Identifier: "IBMid-B"},
		{Type: identity.TrustUser, Identifier: "IBMid-C"}}
	_, _, err = ids.SetTrusts(ctx, p, "*", apitest.Checked(t, three))
	wants(t, "three trusted identities at once", err, fault.Limit)
	if limits := ids.Limits(); limits.ComputeRules() != 4 {
		t.Errorf("rules for compute resources: %d", limits.ComputeRules())
	}
}

func samlRule(value string) identity.RuleSpec {
	expiration := 3600
	return identity.RuleSpec{Type: identity.RuleSAML, RealmName: "realm", Expiration: &expiration,
		Conditions: []identity.Condition{{Claim: "team", Operator: "EQUALS", Value: `"` + value + `"`}}}
}

// linkTo is a link to a server of an account.
func linkTo(accountID string, i int) identity.LinkSpec {
	return identity.LinkSpec{CRType: identity.VSI,
		Resource: identity.Resource{CRN: fmt.Sprintf("crn:v1:bluemix:public:is:r:a/%s::instance:%d", accountID, i)}}
}

func TestAProfileGoesWithAllItsParts(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	p := newProfile(s, "p", "")
	add := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	add(s.Identity.CreateRule(ctx, p, apitest.Checked(t, samlRule("x"))))
	add(s.Identity.CreateLink(ctx, p, apitest.Checked(t, linkTo(acct, 1))))
	add(s.Identity.SetTrust(ctx, p, apitest.Checked(t, identity.TrustSpec{Type: identity.TrustUser, Identifier: user})))
	page := "/x"
	key := identity.PreferenceKey{PreferenceOwner: identity.PreferenceOwner{Account: acct, IAMID: p.Owner}, Service: "console",
		Name: "landing_page"}
	add(s.Identity.SetPreference(ctx, apitest.Checked(t, identity.NewPreference{PreferenceKey: key, Text: &page})))
	wants(t, "deleting", s.Identity.DeleteProfile(ctx, p), nil)
	for kind, count := range map[string]func(context.Context, store.Reader, store.Query) (int, error){
		"rules": identity.Rules.Count, "links": identity.Links.Count, "trusts": identity.Trusts.Count, "lists": identity.TrustLists.Count,
		"preferences": identity.Preferences.Count,
	} {
		if n, err := count(ctx, s.DB.Direct(), store.Query{Account: acct}); n != 0 || err != nil {
			t.Errorf("%d %s are left, %v", n, kind, err)
		}
	}
	_, err := s.Identity.Preference(ctx, apitest.Checked(t, key))
	wants(t, "a preference of a profile that is gone", err, fault.NotFound)
}

// A part is found through its own profile only.
func TestAPartBelongsToItsProfile(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	p, q := newProfile(s, "p", ""), newProfile(s, "q", "")
	rule, err := s.Identity.CreateRule(ctx, p, apitest.Checked(t, samlRule("x")))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Identity.Rule(ctx, q, rule.ID)
	wants(t, "reading through another profile", err, fault.NotFound)
	_, err = s.Identity.UpdateRule(ctx, q, rule.ID, "*", apitest.Checked(t, samlRule("y")))
	wants(t, "changing", err, fault.NotFound)
	wants(t, "deleting", s.Identity.DeleteRule(ctx, q, rule.ID), fault.NotFound)
	wants(t, "deleting through its own", s.Identity.DeleteRule(ctx, p, rule.ID), nil)
}

func TestALinkToAnotherAccountMustBeDeclared(t *testing.T) {
	s := serve(t)
	p := newProfile(s, "p", "")
	foreign := linkTo(apitest.Other, 1)
	_, err := s.Identity.CreateLink(t.Context(), p, apitest.Checked(t, foreign))
	wants(t, "undeclared", err, fault.Invalid)
	foreign.IsCrossAccount = true
	_, err = s.Identity.CreateLink(t.Context(), p, apitest.Checked(t, foreign))
	wants(t, "declared", err, nil)
	_, err = s.Identity.CreateLink(t.Context(), p, apitest.Checked(t, foreign))
	wants(t, "a second time", err, fault.Conflict)
	wants(t, "removing it by what it links", s.Identity.DeleteLinkTo(t.Context(), p, apitest.Checked(t,
		identity.LinkKey{CRType: identity.VSI, Resource: foreign.Resource})), nil)
}

func TestAnAccountLeavesATemplatesProfileAlone(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	p := lay(s, identity.ManagedProfile{Name: "managed", Template: "t", Assignment: "a", Rules: []identity.RuleSpec{samlRule("x")}})
	_, err := s.Identity.UpdateProfile(ctx, p, "*", apitest.Checked(t, identity.ProfileChange{Name: &renamed}))
	wants(t, "renaming", err, fault.Forbidden)
	wants(t, "deleting", s.Identity.DeleteProfile(ctx, p), fault.Forbidden)
	rules, err := s.Identity.Rules(ctx, p)
	if err != nil || len(rules) != 1 {
		t.Fatalf("%+v, %v", rules, err)
	}
	_, err = s.Identity.UpdateRule(ctx, p, rules[0].ID, "*", apitest.Checked(t, samlRule("y")))
	wants(t, "changing its rule", err, fault.Forbidden)
	wants(t, "removing its rule", s.Identity.DeleteRule(ctx, p, rules[0].ID), fault.Forbidden)
	_, err = s.Identity.CreateRule(ctx, p, apitest.Checked(t, samlRule("z")))
	wants(t, "adding a rule", err, fault.Forbidden)
	_, err = s.Identity.CreateLink(ctx, p, apitest.Checked(t, linkTo(acct, 1)))
	wants(t, "adding a link", err, fault.Forbidden)
}

func TestPreferencesAreOfProfilesThatAreThere(t *testing.T) {
	for name, o := range map[string]identity.PreferenceOwner{
		"a user": {Account: acct, IAMID: user}, "a service ID": {Account: acct, IAMID: "iam-ServiceId-1"}, "no account": {IAMID: "iam-Profile-1"},
	} {
		wants(t, name, o.Validate(), fault.Invalid)
	}
	s := serve(t)
	p := newProfile(s, "p", "")
	key := identity.PreferenceKey{PreferenceOwner: identity.PreferenceOwner{Account: acct, IAMID: p.Owner}, Service: "console",
		Name: "landing_page"}
	for page, want := range map[string]error{"/billing": nil, "//elsewhere.example": fault.Invalid,
		"https://elsewhere.example": fault.Invalid, `/\elsewhere`: fault.Invalid, "": fault.Invalid} {
		wants(t, "landing page "+page, identity.NewPreference{PreferenceKey: key, Text: &page}.Validate(), want)
	}
	wants(t, "a list where a text is due", identity.NewPreference{PreferenceKey: key, List: []string{"is"}}.Validate(), fault.Invalid)
	wants(t, "deleting what is not set", s.Identity.DeletePreference(t.Context(), apitest.Checked(t, key)), fault.NotFound)
	foreign := key
	foreign.Account = apitest.Other
	page := "/x"
	_, err := s.Identity.SetPreference(t.Context(), apitest.Checked(t, identity.NewPreference{PreferenceKey: foreign, Text: &page}))
	wants(t, "the profile in another account", err, fault.NotFound)
}
