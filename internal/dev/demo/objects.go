package demo

import (
	"context"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
	"github.com/kagiban/kagiban/internal/valid"
)

// user is a person as an account knows it.
func (p Person) user() account.NewUser {
	return account.NewUser{ID: p.IAMID, Email: p.Email, GivenName: p.Given, FamilyName: p.Family}
}

// login is Console's, with what its realm says of it.
func (d *Data) login(passwordHash string) account.NewLogin {
	return account.NewLogin{IAMID: d.Console.IAMID, Email: d.Console.Email, PasswordHash: passwordHash, DefaultAccount: d.Root, Realm: Realm,
		Claims: []account.Claim{{Name: "department", Values: []string{"billing"}},
			{Name: "groups", Values: []string{"people", "auditors"}, List: true}}}
}

// tree makes the demo enterprise: the root account and one group with the child.
func (l *loader) tree(ctx context.Context) error {
	l.labels.say("enterprise", "account root")
	e, err := checked(enterprise.NewEnterprise{Name: "Demo Enterprise", Contact: l.Owner.IAMID},
		func(n valid.Of[enterprise.NewEnterprise]) (*enterprise.Enterprise, error) {
			return l.enterprise.Begin(ctx, l.Owner.user(), n)
		})
	if err != nil {
		return err
	}
	l.labels.say("account group")
	group, err := checked(enterprise.NewGroup{Name: "Demo Group", Contact: l.Owner.IAMID},
		func(n valid.Of[enterprise.NewGroup]) (*enterprise.Group, error) {
			return l.enterprise.CreateGroup(ctx, e.Place(), n)
		})
	if err != nil {
		return err
	}
	noMFA := ""
	l.labels.say("account child")
	_, err = checked(enterprise.NewAccount{Name: "Demo Child", Owner: l.Owner.IAMID, MFA: &noMFA, Managed: true},
		func(n valid.Of[enterprise.NewAccount]) (*enterprise.Child, error) {
			return l.enterprise.CreateAccount(ctx, group.Place(), n)
		})
	return err
}

// people makes the accounts of the cross-account story, and the users who own none.
func (l *loader) people(ctx context.Context) error {
	for _, a := range []account.NewAccount{
		{ID: l.Caller, Name: "Story Caller", Owner: l.Visitor.user(), Classic: "1700023"},
		{ID: l.Called, Name: "Story Called", Owner: l.Host.user(), Classic: "2600003"},
	} {
		if _, err := l.accounts.Create(ctx, a); err != nil {
			return err
		}
	}
	for _, p := range []Person{l.Admin, l.Member, l.Console} {
		if _, err := l.accounts.PutUser(ctx, l.Root, p.user()); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) machines(ctx context.Context) error {
	l.labels.say("service id")
	_, err := checked(identity.NewServiceID{Account: l.Root, Name: "demo-service", Description: "Service ID of the demo data"},
		func(n valid.Of[identity.NewServiceID]) (svc *identity.ServiceID, err error) {
			svc, _, _, err = l.identity.CreateServiceID(ctx, asker.System, n)
			return svc, err
		})
	if err != nil {
		return err
	}
	l.labels.say("profile")
	p, err := checked(identity.NewProfile{Account: l.Called, Name: ProfileName,
		Description: "Lets people of another account read the bill of this one"},
		func(n valid.Of[identity.NewProfile]) (*identity.Profile, error) {
			return l.identity.CreateProfile(ctx, n)
		})
	if err != nil {
		return err
	}
	_, err = checked(identity.TrustSpecs{
		{Type: identity.TrustUser, Identifier: l.Visitor.IAMID, Accounts: []string{l.Caller}},
		{Type: identity.TrustUser, Identifier: l.Owner.IAMID, Accounts: []string{l.Root}},
	}, func(specs valid.Of[identity.TrustSpecs]) (head *identity.TrustList, err error) {
		head, _, err = l.identity.SetTrusts(ctx, p, "*", specs)
		return head, err
	})
	return err
}

func (l *loader) keys(ctx context.Context) error {
	for _, k := range []struct {
		label, account, owner, name string
		value                       secret.Value
	}{
		{"owner", l.Root, l.Owner.IAMID, "demo-key", l.OwnerKey.Value},
		{"admin", l.Root, l.Admin.IAMID, "admin-key", l.AdminKey.Value},
		{"visitor", l.Caller, l.Visitor.IAMID, "story-key", l.VisitorKey.Value},
		{"service", l.Root, id.IAMOf(l.ServiceID), "demo-service-key", l.ServiceKey.Value},
	} {
		l.labels.say("key id " + k.label)
		traits := identity.KeyTraits{Name: &k.name, Description: new("Key of the demo data"), ActionWhenLeaked: new(identity.LeakNone)}
		_, err := checked(identity.NewAPIKey{IAMID: k.owner, Account: k.account, Traits: traits, Value: k.value},
			func(n valid.Of[identity.NewAPIKey]) (key *identity.APIKey, err error) {
				key, _, err = l.identity.CreateAPIKey(ctx, asker.System, n)
				return key, err
			})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	roleAdministrator = "crn:v1:bluemix:public:iam::::role:Administrator"
	roleTemplates     = "crn:v1:bluemix:public:iam::::role:TemplateAdministrator"
	roleAssignments   = "crn:v1:bluemix:public:iam::::role:TemplateAssignmentAdministrator"
	roleViewer        = "crn:v1:bluemix:public:iam::::role:Viewer"
)

func (l *loader) grants(ctx context.Context) error {
	l.labels.say("access group")
	_, err := checked(access.NewGroup{Name: "demo-group", Description: "Group that invited users join"},
		func(n valid.Of[access.NewGroup]) (*access.Group, error) { return l.access.CreateGroup(ctx, l.Root, n) })
	if err != nil {
		return err
	}
	platform := policy.Attribute{Key: policy.AttrServiceType, Value: policy.String(policy.ServiceTypePlatform)}
	services := policy.Attribute{Key: policy.AttrServiceType, Value: policy.String(policy.ServiceTypeService)}
	iamGroup := policy.Attribute{Key: policy.AttrServiceGroupID, Value: policy.String(policy.ServiceGroupIAM)}
	service := func(name string) policy.Attribute {
		return policy.Attribute{Key: policy.AttrServiceName, Value: policy.String(name)}
	}
	for _, g := range []struct {
		account, subject string
		roles            []string
		resource         policy.Attribute
	}{
		// Nobody holds the template roles without a policy, the owner included.
		{l.Root, l.Owner.IAMID, []string{roleTemplates, roleAssignments}, iamGroup},
		{l.Root, l.Admin.IAMID, []string{roleAdministrator}, platform},
		{l.Root, l.Admin.IAMID, []string{roleAdministrator}, services},
		{l.Root, l.Console.IAMID, []string{roleAdministrator}, platform},
		{l.Root, id.IAMOf(l.ServiceID), []string{roleViewer}, service("iam-identity")},
		{l.Called, id.IAMOf(l.Profile), []string{roleViewer}, service("billing")},
		{l.Called, id.IAMOf(l.Profile), []string{roleViewer}, service("iam-identity")},
	} {
		l.labels.say("policy " + g.account + g.subject + g.resource.Value.Text)
		_, err := checked(l.access.PolicySpec(&policy.Policy{
			Version: policy.V1, Type: policy.TypeAccess, State: policy.StateActive, RoleIDs: g.roles,
			Subject:  []policy.Attribute{{Key: policy.AttrIAMID, Value: policy.String(g.subject)}},
			Resource: []policy.Attribute{{Key: policy.AttrAccountID, Value: policy.String(g.account)}, g.resource},
		}), func(spec valid.Of[access.PolicySpec]) (*access.Policy, error) {
			return l.access.CreatePolicy(ctx, asker.System, spec)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// templates makes the policy template that group and profile templates of the
// official suites refer to.
func (l *loader) templates(ctx context.Context) error {
	name, description := "demo-viewers", "Viewers of all services"
	draft, err := l.template.CheckNew(kinds.Policy, template.Draft{Name: &name, Description: &description, Committed: true,
		Payload: []byte(`{"policy":{"type":"access","resource":{"attributes":[{"key":"serviceType","operator":"stringEquals","value":"service"}]},` +
			`"control":{"grant":{"roles":[{"role_id":"` + roleViewer + `"}]}}}}`)})
	if err != nil {
		return err
	}
	l.labels.say("policy template")
	_, _, err = l.template.Create(ctx, asker.System, l.Root, draft)
	return err
}

// Present tells whether a store has demo data of some seed.
func Present(ctx context.Context, db store.DB) (bool, error) {
	n, err := account.Accounts.Count(ctx, db.Direct(), store.Query{})
	return n > 0, err
}
