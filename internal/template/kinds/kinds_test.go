package kinds_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

const (
	child  = apitest.Account
	viewer = "crn:v1:bluemix:public:iam::::role:Viewer"
	editor = "crn:v1:bluemix:public:iam::::role:Editor"
)

// world is an account that templates are laid on.
type world struct {
	*apitest.Server
	ctx context.Context
}

func newWorld(t *testing.T) *world { return &world{apitest.New(t, nil), t.Context()} }

func (w *world) kind(name string) *template.Kind {
	all := kinds.All(w.Identity, w.Access)
	return all[slices.IndexFunc(all, func(k *template.Kind) bool { return k.Name == name })]
}

// lay lays a payload on the account, over what it made before.
func (w *world) lay(kind, payload string, before ...template.Made) ([]template.Made, error) {
	doc, err := w.kind(kind).Decode(json.RawMessage(payload))
	if err != nil {
		return nil, err
	}
	head := &template.Template{Meta: store.Meta{ID: "Template-1", Parent: kind, Name: "the template"}}
	version := &template.Version{Meta: store.Meta{Parent: head.ID}, Kind: kind, Number: 3}
	var made []template.Made
	err = w.DB.Update(w.ctx, func(tx store.Tx) error {
		acct, err := account.Accounts.Get(w.ctx, tx, child, child)
		if err != nil {
			return err
		}
		made, err = doc.Apply(w.ctx, &template.Lay{Source: template.Source{Template: head, Version: version, Document: doc}, Tx: tx,
			Account: acct,
			Assignment: &template.Assignment{Meta: store.Meta{ID: "Assignment-1", Parent: head.ID},
				Subject: &template.Subject{ID: apitest.Member, Type: "iam_id"}}, Before: before})
		return err
	})
	return made, err
}

func (w *world) lift(m template.Made) error {
	return w.DB.Update(w.ctx, func(tx store.Tx) error { return w.kind(m.Kind).Remove(w.ctx, tx, child, m) })
}

func list[T any](w *world, c *store.Collection[T]) []*T {
	w.T.Helper()
	all, err := c.List(w.ctx, w.DB.Direct(), store.Query{Account: child})
	if err != nil {
		w.T.Fatal(err)
	}
	return all
}

// said are payloads of each kind: two versions, and what is wrong with others.
var said = map[string]struct {
	first, second string
	wrong         map[string]string // by the field that is named
}{
	kinds.Profile: {
		`{"profile":{"name":"P","description":"one"}}`, `{"profile":{"name":"P","description":"two"}}`,
		map[string]string{
			"profile.name": `{"profile":{"name":""}}`,
			"type":         `{"profile":{"name":"P","rules":[{"type":"Profile-XY","conditions":[]}]}}`,
		},
	},
	kinds.Settings: {
		`{"account_settings":{"mfa":"LEVEL1"}}`, `{"account_settings":{"mfa":"LEVEL3"}}`,
		map[string]string{
			"mfa":              `{"account_settings":{"mfa":"LEVEL9"}}`,
			"account_settings": `{"account_settings":{"max_sessions_per_identity":true}}`,
		},
	},
	kinds.Policy: {
		policyOf("access", viewer, ""), policyOf("access", editor, ""),
		map[string]string{
			"type":   policyOf("neither", viewer, ""),
			"policy": `{}`,
			"policy.control.grant.role_template_references": policyOf("access", viewer, `,"role_template_references":[{"id":"r","version":"x"}]`),
		},
	},
	kinds.Role: {
		`{"role":{"name":"R","display_name":"one","service_name":"iam-groups","actions":["iam-groups.groups.read"]}}`,
		`{"role":{"name":"R","display_name":"two","service_name":"iam-groups","actions":["iam-groups.groups.read"]}}`,
		map[string]string{
			"role.display_name": `{"role":{"name":"R","display_name":"<b>","service_name":"iam-groups","actions":["iam-groups.groups.read"]}}`,
			"actions":           `{"role":{"name":"R","display_name":"R","service_name":"iam-groups","actions":["kms.secrets.list"]}}`,
		},
	},
	kinds.Control: {
		`{"action_control":{"service_name":"iam-groups","description":"one","actions":["iam-groups.groups.read"]}}`,
		`{"action_control":{"service_name":"iam-groups","description":"two","actions":["iam-groups.groups.read"]}}`,
		map[string]string{
			"action_control.service_name": `{"action_control":{"actions":["iam-groups.groups.read"]}}`,
			"action_control.actions":      `{"action_control":{"service_name":"iam-groups","actions":["none"]}}`,
		},
	},
	kinds.Group: {
		`{"group":{"name":"G","description":"one"}}`, `{"group":{"name":"G","description":"two"}}`,
		map[string]string{
			"name":                  `{"group":{"name":""}}`,
			"group.members.users":   `{"group":{"name":"G","members":{"users":"one"}}}`,
			"group.action_controls": `{"group":{"name":"G","action_controls":1}}`,
		},
	},
}

func policyOf(typ, role, more string) string {
	return fmt.Sprintf(`{"policy":{"type":%q,"resource":{"attributes":[{"key":"serviceName","operator":"stringEquals","value":"kms"}]},`+
		`"control":{"grant":{"roles":[{"role_id":%q}]%s}}}}`, typ, role, more)
}

// holds says in a few words what an account has of a kind.
func (w *world) holds(kind string) (out []string) {
	w.T.Helper()
	switch kind {
	case kinds.Profile:
		for _, p := range list(w, identity.Profiles) {
			out = append(out, p.ID+" "+p.Description+" "+p.Template+" "+p.Assignment)
		}
	case kinds.Settings:
		for _, s := range list(w, account.SettingsByAcct) {
			if mfa := s.InForce().MFA; len(s.Assigned) > 0 {
				out = append(out, "Template-1 "+mfa)
			}
		}
	case kinds.Policy:
		for _, p := range list(w, access.Policies) {
			out = append(out, p.ID+" "+strings.Join(p.Doc.RoleIDs, " ")+" "+p.Owner+" "+p.Template.ID+" "+p.Template.Version)
		}
	case kinds.Role:
		for _, r := range list(w, access.CustomRoles) {
			out = append(out, r.ID+" "+r.DisplayName+" "+r.Template.AssignmentID)
		}
	case kinds.Control:
		for _, c := range list(w, access.Controls) {
			out = append(out, c.ID+" "+c.Description+" "+c.Template.AssignmentID)
		}
	case kinds.Group:
		for _, g := range list(w, access.Groups) {
			if g.Template != nil {
				out = append(out, g.ID+" "+g.Description+" "+g.Template.AssignmentID)
			}
		}
	}
	return out
}

func TestAPayloadIsJudgedBeforeItIsStored(t *testing.T) {
	w := newWorld(t)
	for name, p := range said {
		judge := func(payload string, final bool) error {
			doc, err := w.kind(name).Decode(json.RawMessage(payload))
			if err != nil {
				return err
			}
			return doc.Check(final)
		}
		for _, good := range []string{p.first, p.second} {
			if err := judge(good, true); err != nil {
				t.Errorf("%s %s: %v", name, good, err)
			}
		}
		if err := judge(`{}`, false); name != kinds.Policy && err != nil {
			t.Errorf("a draft of %s that says nothing yet: %v", name, err)
		}
		if err := judge(`{}`, true); !errors.Is(err, fault.Invalid) {
			t.Errorf("a final %s that says nothing: %v", name, err)
		}
		for field, payload := range p.wrong {
			if err := judge(payload, false); !errors.Is(err, fault.Invalid) || !strings.Contains(fault.Of(err).Field+fault.Of(err).Message, field) {
				t.Errorf("%s %s: %v, want an error about %s", name, payload, err, field)
			}
		}
		if err := judge(`{`, false); !errors.Is(err, fault.Invalid) {
			t.Errorf("a %s that is no JSON: %v", name, err)
		}
	}
}

func TestATemplateMakesChangesAndTakesAwayOneObject(t *testing.T) {
	for name, p := range said {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			made, err := w.lay(name, p.first)
			if err != nil {
				t.Fatal(err)
			}
			if len(made) != 1 || made[0].Kind != name || made[0].Template != "" {
				t.Fatalf("made %+v", made)
			}
			first := w.holds(name)
			if len(first) != 1 || !strings.HasPrefix(first[0], made[0].ID+" ") {
				t.Errorf("after %+v the account has %q", made, first)
			}
			again, err := w.lay(name, p.second, made...)
			if second := w.holds(name); err != nil || !slices.Equal(again, made) || len(second) != 1 || second[0] == first[0] {
				t.Errorf("the next version made %+v, %v; the account has %q after %q", again, err, second, first)
			}
			for range 2 { // what is gone already is no error
				if err := w.lift(made[0]); err != nil {
					t.Error(err)
				}
			}
			if left := w.holds(name); len(left) != 0 {
				t.Errorf("left is %q", left)
			}
			if back, err := w.lay(name, p.first, made...); err != nil || len(back) != 1 || len(w.holds(name)) != 1 {
				t.Errorf("what was taken away comes back as %+v, %v", back, err)
			}
		})
	}
}

func TestVariablesInNamesStandForTheAccountAndTheTemplate(t *testing.T) {
	w := newWorld(t)
	const name = "${template_id} ${template_name} ${template_version} ${account_id} ${account_name} $ {x}"
	for kind, payload := range map[string]string{kinds.Profile: `{"profile":{"name":"` + name + `"}}`,
		kinds.Group: `{"group":{"name":"` + name + `"}}`} {
		if _, err := w.lay(kind, payload); err != nil {
			t.Fatal(err)
		}
	}
	want := "Template-1 the template 3 " + child + " " + child + " $ {x}"
	if p := list(w, identity.Profiles); len(p) != 1 || p[0].Name != want {
		t.Errorf("profiles %+v", p)
	}
	if !slices.ContainsFunc(list(w, access.Groups), func(g *access.Group) bool { return g.Name == want }) {
		t.Error("no group of that name")
	}
}

func TestActionControlsAreLaidWithTheObject(t *testing.T) {
	add, both := identity.Control{Add: true}, identity.Control{Add: true, Remove: true}
	for controls, want := range map[string]identity.Controls{
		`null`: {Identities: add, Rules: add, Policies: add}, // what is not said is left to the account
		`{}`:   {Identities: add, Rules: add, Policies: add},
		`{"rules":{"add":false,"remove":false},"policies":{"add":true,"remove":true}}`: {Identities: add, Policies: both},
	} {
		w := newWorld(t)
		if _, err := w.lay(kinds.Profile, `{"profile":{"name":"P"},"action_controls":`+controls+`}`); err != nil {
			t.Fatal(err)
		}
		if got := list(w, identity.Profiles)[0].Controls; got != want {
			t.Errorf("profile with %s: %+v", controls, got)
		}
	}
	for group, want := range map[string]access.GroupControls{
		`{"name":"G"}`: {}, // other than in profiles, what is not said is no
		`{"name":"G","members":{"action_controls":{"add":true}},"assertions":{"action_controls":{"add":true}},"action_controls":{"access":{"add":true}}}`: {
			AddMembers: true, AddRules: true, AddPolicies: true},
		`{"name":"G","members":{"action_controls":{"remove":true}}}`: {RemoveMembers: true},
	} {
		w := newWorld(t)
		made, err := w.lay(kinds.Group, `{"group":`+group+`}`)
		if err != nil {
			t.Fatal(err)
		}
		g, err := access.Groups.Get(w.ctx, w.DB.Direct(), child, made[0].ID)
		if err != nil || g.Controls != want {
			t.Errorf("%s: %+v, %v", group, g.Controls, err)
		}
	}
}

func TestAnObjectOfTheAccountInTheWayIsLeftAlone(t *testing.T) {
	for _, name := range []string{kinds.Profile, kinds.Role, kinds.Group, kinds.Policy} {
		w := newWorld(t)
		if _, err := w.lay(name, said[name].first); err != nil {
			t.Fatal(err)
		}
		before := w.holds(name)
		if name == kinds.Role { // of another template
			r := list(w, access.CustomRoles)[0]
			r.Template.ID = "Template-2"
			w.Update(func(ctx context.Context, tx store.Tx) error {
				return access.CustomRoles.Update(ctx, tx, r, store.Event{})
			})
		}
		if _, err := w.lay(name, said[name].second); !errors.Is(err, fault.Conflict) {
			t.Errorf("a second %s of the same name: %v", name, err)
		}
		if after := w.holds(name); !slices.Equal(after, before) {
			t.Errorf("the account has %q after %q", after, before)
		}
	}
}
