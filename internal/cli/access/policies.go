package access

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// subject is a sort of holder of access policies. The verbs of all sorts differ
// in nothing but how the holder is found.
type subject struct {
	stem string // of the verbs: "service" makes service-policies
	noun string // "service ID"
	use  string
	key  string // attribute of policies: iam_id or access_group_id
	kind string // in access-policies --type
	// prefixes begin the values of key.
	prefixes []string
	find     func(ctx context.Context, s *shell.Session, nameOrID string) (value string, err error)
}

var subjects = []*subject{
	{"user", "user", "USER", "iam_id", "user", []string{"IBMid-", "IAM-"}, userID},
	{"service", "service ID", "SERVICE_ID", "iam_id", "service_id", []string{"iam-ServiceId-"}, serviceID},
	{"access-group", "access group", "GROUP", "access_group_id", "access_group", []string{"AccessGroupId-"},
		func(ctx context.Context, s *shell.Session, nameOrID string) (string, error) {
			found, err := groups.Find(ctx, s, nameOrID)
			return found.Value.ID, err
		}},
	{"trusted-profile", "trusted profile", "NAME|ID", "iam_id", "trusted_profile", []string{"iam-Profile-"}, profileID},
}

func policyVerbs() []shell.Verb {
	var verbs []shell.Verb
	for _, x := range subjects {
		verbs = append(verbs, x.createVerb(), x.listVerb(), x.showVerb(), x.updateVerb(), x.deleteVerb())
	}
	return verbs
}

// verb fills in what all verbs of a subject share.
func (x *subject) verb(suffix, use, short string) shell.Verb {
	v := shell.Verb{
		Use: strings.TrimSpace(x.stem + suffix + " " + x.use + " " + use), Short: short + " of " + object.A(x.noun),
		Args: cobra.ExactArgs(1 + len(strings.Fields(use))), Output: true, Force: true, Values: schemas,
	}
	return v
}

func (x *subject) attribute(value string) []client.Attribute {
	return []client.Attribute{{Key: x.key, Operator: equals, Value: value}}
}

func (x *subject) createVerb() shell.Verb {
	var g grant
	v := x.verb("-policy-create", "", "Create a policy")
	v.Short = "Give access to " + object.A(x.noun)
	v.Example = "  kagiban iam " + x.stem + "-policy-create " + strings.Split(x.use, "|")[0] + " --roles Reader --service-name kms"
	v.Flags = g.define
	v.Offers = map[string]shell.Offer{"roles": g.offered}
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		if err := g.check(c); err != nil {
			return err
		}
		if g.file == "" && len(g.roles) == 0 {
			return shell.Usagef("give --roles or --file")
		}
		c.Progress("Creating policy under current account for %s %s as %s", x.noun, c.Args[0], s.User())
		who, err := x.find(ctx, s, c.Args[0])
		if err != nil {
			return err
		}
		p := client.Policy{Type: "access", Subject: x.attribute(who)}
		schema, body, err := g.body(ctx, c, s, &p, true)
		if err != nil {
			return err
		}
		made, err := client.Post[client.Policy](ctx, s.API, policyPath(schema), nil, body)
		if err != nil {
			return err
		}
		return written(ctx, c, s, made, word(x.stem)+" policy is created successfully")
	}
	return v
}

// body gives the request that writes a policy, from its file or from what the
// flags change in p.
func (g *grant) body(ctx context.Context, c *shell.Call, s *shell.Session, p *client.Policy, fresh bool) (schema string,
	body map[string]any, err error) {
	schema = g.schema
	if g.file == "" {
		if schema == "" {
			schema = p.Schema()
		}
		err = g.apply(ctx, c, s, p, fresh)
		return schema, p.Body(schema), err
	}
	body, written, err := document(c, g.file)
	if schema == "" {
		schema = written
	}
	// Whom it is for and what it is say the arguments, whatever the file says.
	for property, value := range p.Body(schema) {
		if property == "type" || strings.HasPrefix(property, "subject") {
			if body != nil {
				body[property] = value
			}
		}
	}
	return schema, body, err
}

func policyPath(schema string, id ...string) string {
	return "/" + schema + "/policies" + client.Path(id...)
}

// schemaOr is the schema of JSON output: the official default, because scripts
// read it. Texts are made of the second schema, which can show every policy.
func schemaOr(c *shell.Call, given string) string {
	switch {
	case !c.WantsJSON():
		return "v2"
	case given == "":
		return "v1"
	}
	return given
}

// written shows a policy that was made or changed.
func written(ctx context.Context, c *shell.Call, s *shell.Session, p client.Object[client.Policy], sentence string) error {
	if !c.WantsJSON() {
		named, err := readPolicy(ctx, s, "v2", p.Value.ID)
		if err != nil {
			return err
		}
		p = named
	}
	return c.Show(p, func() {
		c.Say("%s", sentence)
		c.Details(policyRows(p, false))
	})
}

// readPolicy gets a policy with the names of its roles.
func readPolicy(ctx context.Context, s *shell.Session, schema, id string) (client.Object[client.Policy], error) {
	found, err := client.Send[client.Policy](ctx, s.API, client.Request{Method: http.MethodGet, Path: policyPath(schema, id),
		Query: url.Values{"format": {"display"}}})
	if client.IsNotFound(err) {
		return found, shell.Problemf("Policy %s was not found.", id)
	}
	return found, err
}

// listPolicies gets the policies that a query finds.
func listPolicies(ctx context.Context, s *shell.Session, schema string, query url.Values) ([]client.Object[client.Policy], error) {
	q := object.OfAccount(s)
	q.Set("format", "display")
	for name, values := range query {
		q[name] = values
	}
	return client.List[client.Policy](ctx, s.API, client.ByStart, policyPath(schema), "policies", q)
}

func (x *subject) listVerb() shell.Verb {
	var schema string
	v := x.verb("-policies", "", "List the policies")
	v.Flags = func(f *pflag.FlagSet) { schemaFlag(f, &schema) }
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		if err := checkSchema(schema); err != nil {
			return err
		}
		c.Progress("Getting policies under current account for %s %s as %s", x.noun, c.Args[0], s.User())
		who, err := x.find(ctx, s, c.Args[0])
		if err != nil {
			return err
		}
		list, err := listPolicies(ctx, s, schemaOr(c, schema), url.Values{x.key: {who}, "type": {"access"}})
		if err != nil {
			return err
		}
		return showPolicies(c, list, false)
	}
	return v
}

// own gets a policy that must be the subject's.
func (x *subject) own(ctx context.Context, c *shell.Call, s *shell.Session) (client.Object[client.Policy], string, error) {
	who, err := x.find(ctx, s, c.Args[0])
	if err != nil {
		return client.Object[client.Policy]{}, "", err
	}
	p, err := readPolicy(ctx, s, "v2", c.Args[1])
	if err != nil {
		return p, "", err
	}
	if key, value := p.Value.Who(); key != x.key || value != who {
		return p, "", shell.Problemf("Policy %s is not one of %s %s.", c.Args[1], x.noun, c.Args[0])
	}
	return p, who, nil
}

func (x *subject) showVerb() shell.Verb {
	var schema string
	v := x.verb("-policy", "POLICY_ID", "Show a policy")
	v.Flags = func(f *pflag.FlagSet) { schemaFlag(f, &schema) }
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		if err := checkSchema(schema); err != nil {
			return err
		}
		c.Progress("Getting policy %s under current account for %s %s as %s", c.Args[1], x.noun, c.Args[0], s.User())
		p, _, err := x.own(ctx, c, s)
		if err != nil {
			return err
		}
		return showPolicy(ctx, c, s, p, schema)
	}
	return v
}

// showPolicy shows a policy that was read in the second schema.
func showPolicy(ctx context.Context, c *shell.Call, s *shell.Session, p client.Object[client.Policy], schema string) error {
	if wanted := schemaOr(c, schema); wanted != "v2" {
		var err error
		if p, err = readPolicy(ctx, s, wanted, p.Value.ID); err != nil {
			return err
		}
	}
	return c.Show([]client.Object[client.Policy]{p}, func() { c.Details(policyRows(p, p.Value.Type == "authorization")) })
}

func (x *subject) updateVerb() shell.Verb {
	var g grant
	v := x.verb("-policy-update", "POLICY_ID", "Change a policy")
	v.Flags = g.define
	v.Offers = map[string]shell.Offer{"roles": g.offered}
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		if err := g.check(c); err != nil {
			return err
		}
		if g.file == "" && len(g.roles) == 0 && !g.scoped(c) {
			return shell.Usagef("nothing to change: give --roles, --file, or what the policy shall be about")
		}
		c.Progress("Updating policy %s under current account for %s %s as %s", c.Args[1], x.noun, c.Args[0], s.User())
		old, who, err := x.own(ctx, c, s)
		if err != nil {
			return err
		}
		p := old.Value
		p.Subject = x.attribute(who)
		schema, body, err := g.body(ctx, c, s, &p, false)
		if err != nil {
			return err
		}
		changed, err := client.Put[client.Policy](ctx, s.API, policyPath(schema, p.ID), old.Tag, body)
		if err != nil {
			return err
		}
		return written(ctx, c, s, changed, word(x.stem)+" policy is updated successfully")
	}
	return v
}

func (x *subject) deleteVerb() shell.Verb {
	var schema string
	v := x.verb("-policy-delete", "POLICY_ID", "Delete a policy")
	v.Output = false
	v.Flags = func(f *pflag.FlagSet) { schemaFlag(f, &schema) }
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		if err := checkSchema(schema); err != nil {
			return err
		}
		p, _, err := x.own(ctx, c, s)
		if err != nil {
			return err
		}
		if err := c.Confirm("Really delete policy %s of %s %s?", c.Args[1], x.noun, c.Args[0]); err != nil {
			return err
		}
		c.Progress("Deleting policy %s under current account for %s %s as %s", c.Args[1], x.noun, c.Args[0], s.User())
		if schema == "" {
			schema = p.Value.Schema()
		}
		if err := s.API.Delete(ctx, policyPath(schema, p.Value.ID)); err != nil {
			return err
		}
		c.Done("Policy %s is deleted successfully", p.Value.ID)
		return nil
	}
	return v
}

// word begins a sentence with the stem of verbs: "Access group".
func word(stem string) string {
	stem = strings.ReplaceAll(stem, "-", " ")
	return strings.ToUpper(stem[:1]) + stem[1:]
}
