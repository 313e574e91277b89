package demo

import (
	"context"
	"fmt"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

func accountsCount(ctx context.Context, db store.DB) (int, error) {
	return account.Accounts.Count(ctx, db.Direct(), store.Query{})
}

// Load writes the data into an empty store, in one transaction. hash gives the
// look-up hash of an API key.
func (d *Data) Load(ctx context.Context, db store.DB, hash func(secret.Value) string) error {
	ctx = store.WithOrigin(ctx, store.Origin{IAMID: d.Owner.IAMID, Name: d.Owner.Email, Account: d.Root, Operation: "load_demo_data"})
	passwordHash := d.passwordHash()
	err := db.Update(ctx, func(tx store.Tx) error {
		w := &writer{ctx: ctx, tx: tx}
		d.accounts(w)
		d.people(w, passwordHash)
		d.tree(w)
		d.machines(w)
		d.keys(w, hash)
		d.grants(w)
		d.templates(w)
		return w.err
	})
	if err != nil {
		return fmt.Errorf("writing demo data: %w", err)
	}
	return nil
}

// writer remembers the first error, so that the data reads as data.
type writer struct {
	ctx context.Context
	tx  store.Tx
	err error
}

func create[T any](w *writer, c *store.Collection[T], obj *T, action, object string) {
	if w.err == nil {
		w.err = c.Create(w.ctx, w.tx, obj, store.Event{Action: action, CRN: object, Message: "Demo data: " + action})
	}
}

func (d *Data) accounts(w *writer) {
	for _, a := range []*account.Account{
		{Meta: store.Meta{Account: d.Root, Name: "Demo Enterprise", Owner: d.Owner.IAMID}, Enterprise: d.Enterprise, EnterpriseRoot: true},
		{Meta: store.Meta{Account: d.Child, Name: "Demo Child", Owner: d.Owner.IAMID}, Enterprise: d.Enterprise, ParentGroup: d.Group, EnterpriseManaged: true},
		{Meta: store.Meta{Account: d.Caller, Name: "Story Caller", Owner: d.Visitor.IAMID}, Classic: "1700023"},
		{Meta: store.Meta{Account: d.Called, Name: "Story Called", Owner: d.Host.IAMID}, Classic: "2600003"},
	} {
		a.ID, a.State = a.Account, account.Active
		create(w, account.Accounts, a, "account.account.create", "")
		create(w, account.SettingsByAcct, account.DefaultSettings(a.ID), "iam-identity.accountsettings.create", "")
	}
}

// tree is the demo enterprise: the root account and one group with the child.
func (d *Data) tree(w *writer) {
	owner := d.Owner
	create(w, enterprise.Enterprises, &enterprise.Enterprise{
		Meta:  store.Meta{Account: d.Root, ID: d.Enterprise, Name: "Demo Enterprise", Owner: owner.IAMID},
		State: account.Active, ContactEmail: owner.Email,
	}, "enterprise.enterprise.create", enterprise.CRN(d.Root, "enterprise", d.Enterprise))
	create(w, enterprise.Groups, &enterprise.Group{
		Meta:       store.Meta{Account: d.Root, ID: d.Group, Parent: d.Enterprise, Name: "Demo Group", Owner: owner.IAMID},
		Enterprise: d.Enterprise, State: account.Active, ContactEmail: owner.Email,
	}, "enterprise.account-group.create", enterprise.CRN(d.Root, "account-group", d.Group))
	create(w, enterprise.Members, &enterprise.Member{
		Meta:       store.Meta{Account: d.Root, ID: d.Root, Parent: d.Enterprise, Name: "Demo Enterprise", Owner: owner.IAMID},
		Enterprise: d.Enterprise, State: account.Active, OwnerEmail: owner.Email, Root: true,
	}, "enterprise.account.create", enterprise.CRN(d.Root, "account", d.Root))
	create(w, enterprise.Members, &enterprise.Member{
		Meta:       store.Meta{Account: d.Root, ID: d.Child, Parent: d.Group, Name: "Demo Child", Owner: owner.IAMID},
		Enterprise: d.Enterprise, Above: []string{d.Group}, State: account.Active, OwnerEmail: owner.Email, Managed: true,
	}, "enterprise.account.create", enterprise.CRN(d.Root, "account", d.Child))
}

func (d *Data) people(w *writer, passwordHash string) {
	for _, m := range []struct {
		account string
		person  Person
	}{
		{d.Root, d.Owner}, {d.Child, d.Owner}, {d.Root, d.Admin}, {d.Root, d.Member}, {d.Root, d.Console},
		{d.Caller, d.Visitor}, {d.Called, d.Host},
	} {
		p := m.person
		create(w, account.Users, &account.User{
			Meta:  store.Meta{Account: m.account, ID: p.IAMID, Owner: p.IAMID, Name: p.Name()},
			Email: p.Email, GivenName: p.Given, FamilyName: p.Family, State: "ACTIVE",
		}, "user-management.user.create", "")
	}
	create(w, account.Logins, &account.Login{
		Meta:  store.Meta{Account: store.System, ID: d.Console.IAMID, Owner: d.Console.IAMID, Name: d.Console.Email},
		Email: d.Console.Email, PasswordHash: passwordHash, DefaultAccount: d.Root, Realm: Realm,
		Claims: []account.Claim{{Name: "department", Values: []string{"billing"}}, {Name: "groups", Values: []string{"people", "auditors"}, List: true}},
	}, "user-management.login.create", "")
}

func (d *Data) machines(w *writer) {
	serviceIAM, profileIAM := id.IAMOf(d.ServiceID), id.IAMOf(d.Profile)
	create(w, identity.ServiceIDs, &identity.ServiceID{
		Meta:               store.Meta{Account: d.Root, ID: d.ServiceID, Owner: serviceIAM, Name: "demo-service", Description: "Service ID of the demo data"},
		UniqueInstanceCRNs: []string{},
	}, "iam-identity.account-serviceid.create", crn.Of("iam-identity", d.Root, "serviceid", d.ServiceID))
	create(w, identity.Profiles, &identity.Profile{
		Meta: store.Meta{Account: d.Called, ID: d.Profile, Owner: profileIAM, Name: ProfileName, Description: "Lets people of another account read the bill of this one"},
	}, "iam-identity.account-profile.create", crn.Of("iam-identity", d.Called, "profile", d.Profile))
	create(w, identity.TrustLists, &identity.TrustList{
		Meta: store.Meta{Account: d.Called, ID: d.Profile, Parent: d.Profile},
	}, "iam-identity.account-profile.update", "")
	for _, t := range []struct {
		who  Person
		from string
	}{{d.Visitor, d.Caller}, {d.Owner, d.Root}} {
		create(w, identity.Trusts, &identity.Trust{
			Meta: store.Meta{Account: d.Called, ID: identity.TrustID(d.Profile, "user", t.who.IAMID), Parent: d.Profile, Owner: t.who.IAMID},
			Type: "user", Identifier: t.who.IAMID, Accounts: []string{t.from},
		}, "iam-identity.account-profile.update", "")
	}
}

func (d *Data) keys(w *writer, hash func(secret.Value) string) {
	for _, k := range []struct {
		account, owner, name string
		key                  Key
	}{
		{d.Root, d.Owner.IAMID, "demo-key", d.OwnerKey},
		{d.Root, d.Admin.IAMID, "admin-key", d.AdminKey},
		{d.Caller, d.Visitor.IAMID, "story-key", d.VisitorKey},
		{d.Root, id.IAMOf(d.ServiceID), "demo-service-key", d.ServiceKey},
	} {
		action := "iam-identity.user-apikey.create"
		if k.owner == id.IAMOf(d.ServiceID) {
			action = "iam-identity.serviceid-apikey.create"
		}
		create(w, identity.APIKeys, &identity.APIKey{
			Meta:  store.Meta{Account: k.account, ID: k.key.ID, Owner: k.owner, Name: k.name, Description: "Key of the demo data"},
			IAMID: k.owner, Hash: hash(k.key.Value), ActionWhenLeaked: "none",
		}, action, crn.Of("iam-identity", k.account, "apikey", k.key.ID))
	}
}

const (
	roleAdministrator = "crn:v1:bluemix:public:iam::::role:Administrator"
	roleTemplates     = "crn:v1:bluemix:public:iam::::role:TemplateAdministrator"
	roleAssignments   = "crn:v1:bluemix:public:iam::::role:TemplateAssignmentAdministrator"
	roleViewer        = "crn:v1:bluemix:public:iam::::role:Viewer"
)

func (d *Data) grants(w *writer) {
	create(w, access.Groups, &access.Group{
		Meta: store.Meta{Account: d.Root, ID: d.AccessGroup, Name: "demo-group", Description: "Group that invited users join"},
	}, "iam-groups.group.create", crn.Of("iam-access-groups", d.Root, "access_group", d.AccessGroup))
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
		{d.Root, d.Owner.IAMID, []string{roleTemplates, roleAssignments}, iamGroup},
		{d.Root, d.Admin.IAMID, []string{roleAdministrator}, platform},
		{d.Root, d.Admin.IAMID, []string{roleAdministrator}, services},
		{d.Root, d.Console.IAMID, []string{roleAdministrator}, platform},
		{d.Root, id.IAMOf(d.ServiceID), []string{roleViewer}, service("iam-identity")},
		{d.Called, id.IAMOf(d.Profile), []string{roleViewer}, service("billing")},
		{d.Called, id.IAMOf(d.Profile), []string{roleViewer}, service("iam-identity")},
	} {
		policyID := id.Generator{Random: d.source("policy " + g.account + g.subject + g.resource.Value.Text)}.UUID()
		create(w, access.Policies, &access.Policy{
			Meta: store.Meta{Account: g.account, ID: policyID, Parent: string(policy.StateActive), Owner: g.subject},
			Doc: policy.Policy{
				Version: policy.V1, Type: policy.TypeAccess, State: policy.StateActive, RoleIDs: g.roles,
				Subject:  []policy.Attribute{{Key: policy.AttrIAMID, Value: policy.String(g.subject)}},
				Resource: []policy.Attribute{{Key: policy.AttrAccountID, Value: policy.String(g.account)}, g.resource},
			},
		}, "iam-am.policy.create", crn.Of("iam-access-management", g.account, "policy", policyID))
	}
}

// templates makes the policy template that group and profile templates of the
// official suites refer to.
func (d *Data) templates(w *writer) {
	head := &template.Template{Meta: store.Meta{Account: d.Root, ID: d.PolicyTemplate, Parent: kinds.Policy, Name: "demo-viewers"}, Latest: 1}
	create(w, template.Templates, head, "iam-am.policy-template.create", template.CRN(head))
	create(w, template.Versions, &template.Version{
		Meta: store.Meta{Account: d.Root, ID: template.VersionID(d.PolicyTemplate, 1), Parent: d.PolicyTemplate, Name: head.Name, Description: "Viewers of all services"},
		Kind: kinds.Policy, Number: 1, Committed: true,
		Payload: []byte(`{"policy":{"type":"access","resource":{"attributes":[{"key":"serviceType","operator":"stringEquals","value":"service"}]},` +
			`"control":{"grant":{"roles":[{"role_id":"` + roleViewer + `"}]}}}}`),
	}, "iam-am.policy-template.create", template.CRN(head))
}
