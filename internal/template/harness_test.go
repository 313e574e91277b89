package template_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/iampolicymanagementv1"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// forest is a server with an enterprise in apitest.Account.
type forest struct {
	*apitest.Server
	ctx       context.Context
	ts        *template.Service
	kinds     []*template.Kind
	runner    *job.Runner
	root, ent string
}

func plant(t *testing.T, changes ...func(*template.Config)) *forest {
	t.Helper()
	f := &forest{ctx: t.Context(), root: apitest.Account}
	f.Server = apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return iampolicymanagementv1.New(s.Access, s.Templates, s.Pages).Operations()
	}, func(o *apitest.Options) {
		o.Templates = func(c *template.Config) {
			f.kinds = c.Kinds
			for _, change := range changes {
				change(c)
			}
		}
	})
	f.ts = f.Templates
	f.restart()
	f.ent = f.enterprise(f.root)
	return f
}

// restart makes a new runner, as after a restart of the server.
func (f *forest) restart() {
	f.runner = job.New(job.Config{DB: f.DB, Node: "node", Now: f.Now, Wall: f.Now}, f.ts.Jobs()...)
}

// kind gives a kind, whose functions a test may replace.
func (f *forest) kind(name string) *template.Kind {
	return f.kinds[slices.IndexFunc(f.kinds, func(k *template.Kind) bool { return k.Name == name })]
}

// metered has a meter hear what the reconciler does.
func metered(m template.Meter) func(*template.Config) {
	return func(c *template.Config) { c.Meter = m }
}

// quiet is a meter that hears nothing.
type quiet struct{}

func (quiet) Pending(int)            {}
func (quiet) Settled(int, int)       {}
func (quiet) PutOff(int)             {}
func (quiet) Waiting(int)            {}
func (quiet) Finished(time.Duration) {}

// enterprise makes an account the root of an enterprise and gives its CRN.
func (f *forest) enterprise(root string) string {
	f.T.Helper()
	entID := "e" + root[1:]
	must(f.Accounts.PutUser(f.ctx, root, account.NewUser{ID: apitest.Owner, Name: "Owner", Email: "owner@example.com"}))(f.T)
	f.Update(func(ctx context.Context, tx store.Tx) error {
		return enterprise.Enterprises.Create(ctx, tx, &enterprise.Enterprise{Meta: store.Meta{Account: root, ID: entID, Name: "Enterprise"},
			State: account.Active}, store.Event{})
	})
	return enterprise.CRN(root, "enterprise", entID)
}

// group makes an account group below a place and gives its CRN; idOf takes the
// id out of it.
func (f *forest) group(parent, name string) string {
	f.T.Helper()
	at := must(f.Tree.Place(f.ctx, parent))(f.T)
	g := &enterprise.Group{Meta: store.Meta{Account: at.Root, ID: id.Generator{}.Hex(16), Parent: at.ID, Name: name},
		Enterprise: at.Enterprise, Above: at.Above, State: account.Active}
	f.Update(func(ctx context.Context, tx store.Tx) error {
		return enterprise.Groups.Create(ctx, tx, g, store.Event{})
	})
	return enterprise.CRN(at.Root, "account-group", g.ID)
}

func idOf(crn string) string { return crn[strings.LastIndexByte(crn, ':')+1:] }

// child makes an account below a place, with enterprise-managed IAM.
func (f *forest) child(parent, name string) string {
	f.T.Helper()
	return f.NewChild(parent, enterprise.NewAccount{Name: name, Owner: apitest.Owner, Managed: true})
}

// member is an account's place in its tree.
func (f *forest) member(accountID string) *enterprise.Member {
	f.T.Helper()
	return must(f.Tree.Member(f.ctx, accountID))(f.T)
}

// move puts an account into another place.
func (f *forest) move(accountID, parent string) {
	f.T.Helper()
	f.ok(f.Tree.Move(f.ctx, asker.System, f.member(accountID), parent))
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (f *forest) ok(err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
}

// refused checks that an error is of a kind and says something.
func (f *forest) refused(err error, kind fault.Kind, part string) {
	f.T.Helper()
	if err == nil || fault.Of(err).Kind != kind || !strings.Contains(err.Error()+fault.Of(err).Message, part) {
		f.T.Errorf("got %v, want %s with %q", err, kind, part)
	}
}

// draft is a committed version.
func draft(name string, payload any, refs ...*template.Template) template.Draft {
	raw, err := json.Marshal(payload)
	if err != nil {
		panic(err) // a test's own value
	}
	d := template.Draft{Name: &name, Payload: raw, Committed: true, References: []template.Reference{}}
	for _, t := range refs {
		d.References = append(d.References, template.Reference{Kind: t.Kind(), ID: t.ID, Version: t.Latest})
	}
	return d
}

type object = map[string]any

// profileDoc is a profile template that trusts one service ID of the root.
func profileDoc(name, description string) object {
	return object{"profile": object{"name": name, "description": description,
		"identities": []object{{"type": "serviceid", "identifier": "ServiceId-11111111-2222-3333-4444-555555555555"}}}}
}

func policyDoc(key, value, role string) object {
	return object{"policy": object{"type": "access",
		"resource": object{"attributes": []object{{"key": key, "operator": "stringEquals", "value": value}}},
		"control":  object{"grant": object{"roles": []object{{"role_id": apitest.Role(role)}}}}}}
}

func (f *forest) template(kind string, d template.Draft) *template.Template {
	f.T.Helper()
	t, _, err := f.create(kind, f.root, d)
	f.ok(err)
	return t
}

func (f *forest) create(kind, root string, d template.Draft) (*template.Template, *template.Version, error) {
	c, err := f.ts.CheckNew(kind, d)
	if err != nil {
		return nil, nil, err
	}
	return f.ts.Create(f.ctx, asker.System, root, c)
}

// head reads a template again.
func (f *forest) head(t *template.Template) *template.Template {
	f.T.Helper()
	return must(f.ts.Template(f.ctx, t.Kind(), t.ID))(f.T)
}

// next makes the next version of a template.
func (f *forest) next(t *template.Template, d template.Draft) {
	f.T.Helper()
	_, _, err := f.ts.AddVersion(f.ctx, asker.System, f.head(t), must(f.ts.Check(t.Kind(), d))(f.T))
	f.ok(err)
}

// deleteVersion and its like act on what is there now.
func (f *forest) delete(t *template.Template) error { return f.ts.Delete(f.ctx, f.head(t)) }

func (f *forest) deleteVersion(t *template.Template, number int) error {
	f.T.Helper()
	return f.ts.DeleteVersion(f.ctx, f.head(t), must(f.ts.Version(f.ctx, t, number))(f.T))
}

func (f *forest) updateVersion(t *template.Template, number int, d template.Draft) error {
	f.T.Helper()
	_, _, err := f.ts.UpdateVersion(f.ctx, asker.System, f.head(t), must(f.ts.Version(f.ctx, t, number))(f.T), "",
		must(f.ts.Check(t.Kind(), d))(f.T))
	return err
}

// now reads an assignment again.
func (f *forest) now(a *template.Assignment) *template.Assignment {
	f.T.Helper()
	return must(f.ts.Assignment(f.ctx, a.Kind(), a.ID))(f.T)
}

func (f *forest) reassign(a *template.Assignment, number int) *template.Assignment {
	f.T.Helper()
	return must(f.ts.Reassign(f.ctx, asker.System, f.now(a), "*", number))(f.T)
}

func (f *forest) unassign(a *template.Assignment) error {
	f.T.Helper()
	return f.ts.Unassign(f.ctx, asker.System, f.now(a))
}

// operators is a profile template with two policy templates.
func (f *forest) operators() *template.Template {
	f.T.Helper()
	return f.template(kinds.Profile, draft("operators", profileDoc("Operators", "first"),
		f.template(kinds.Policy, draft("services", policyDoc("serviceType", "service", "Administrator"))),
		f.template(kinds.Policy, draft("groups", policyDoc("resourceType", "resource-group", "Viewer")))))
}

// try assigns the latest version to an account id or the CRN of a group or
// enterprise, without waiting.
func (f *forest) try(t *template.Template, number int, target string) (*template.Assignment, error) {
	w := template.Wish{Number: number, TargetType: template.TargetAccount, Target: idOf(target)}
	switch {
	case strings.Contains(target, "::account-group:"):
		w.TargetType = template.TargetGroup
	case strings.Contains(target, "::enterprise:"):
		w.TargetType = template.TargetEnterprise
	}
	return f.ts.Assign(f.ctx, asker.System, t, w)
}

// assign assigns and lets the reconciler do what is to be done.
func (f *forest) assign(t *template.Template, target string) *template.Assignment {
	f.T.Helper()
	a, err := f.try(t, t.Latest, target)
	f.ok(err)
	f.pass()
	return a
}

func (f *forest) pass() {
	f.T.Helper()
	f.ok(f.runner.Pass(f.ctx))
}

// status is what an assignment says of itself, "" when it is gone.
func (f *forest) status(a *template.Assignment) template.Status {
	f.T.Helper()
	now, err := f.ts.Assignment(f.ctx, a.Kind(), a.ID)
	if errors.Is(err, fault.NotFound) {
		return ""
	}
	f.ok(err)
	return now.Status
}

// want checks the statuses of an assignment and, account by account, of its
// results.
func (f *forest) want(a *template.Assignment, status template.Status, results map[string]template.Status) {
	f.T.Helper()
	if got := f.status(a); got != status {
		f.T.Errorf("the assignment is %q, want %q", got, status)
	}
	got := map[string]template.Status{}
	for _, r := range must(f.ts.Results(f.ctx, a))(f.T) {
		got[r.Owner] = r.Status
	}
	if !maps.Equal(got, results) {
		f.T.Errorf("results %v, want %v", got, results)
	}
}

// profiles gives "name: description" of an account's profiles.
func (f *forest) profiles(accountID string) []string {
	f.T.Helper()
	var out []string
	for _, p := range must(identity.Profiles.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID}))(f.T) {
		out = append(out, p.Name+": "+p.Description)
	}
	slices.Sort(out)
	return out
}

func (f *forest) policies(accountID string) []*access.Policy {
	f.T.Helper()
	return must(access.Policies.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID}))(f.T)
}

// wantWhole checks that accounts have the one profile with a policy from each
// template for it, and no others.
func (f *forest) wantWhole(profile string, accounts ...string) {
	f.T.Helper()
	for _, accountID := range accounts {
		if got := f.profiles(accountID); !slices.Equal(got, []string{profile}) {
			f.T.Errorf("account %s has profiles %q, want %q", accountID, got, profile)
			continue
		}
		p := must(identity.Profiles.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID}))(f.T)[0]
		pols := f.policies(accountID)
		if len(pols) != 2 {
			f.T.Errorf("account %s has %d policies", accountID, len(pols))
		}
		for _, x := range pols {
			if x.Owner != "iam-"+p.ID {
				f.T.Errorf("account %s: a policy is for %s, the profile is %s", accountID, x.Owner, p.ID)
			}
		}
		trusts := must(identity.Trusts.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID, Parent: p.ID}))(f.T)
		if len(trusts) != 1 || !trusts[0].Managed {
			f.T.Errorf("account %s: the profile trusts %+v", accountID, trusts)
		}
	}
}

// wantNothing checks that accounts have neither profiles nor policies, and
// nothing that says they hold a template.
func (f *forest) wantNothing(accounts ...string) {
	f.T.Helper()
	for _, accountID := range accounts {
		held := must(template.Helds.List(f.ctx, f.DB.Direct(), store.Query{Account: accountID}))(f.T)
		if got, pols := f.profiles(accountID), f.policies(accountID); len(got)+len(pols)+len(held) > 0 {
			f.T.Errorf("account %s has profiles %q, %d policies, holds %d templates", accountID, got, len(pols), len(held))
		}
	}
}

// events counts what the logs of accounts hold.
func (f *forest) events(accounts ...string) (n int64) {
	f.T.Helper()
	for _, accountID := range accounts {
		n += must(f.DB.Head(f.ctx, accountID))(f.T)
	}
	return n
}
