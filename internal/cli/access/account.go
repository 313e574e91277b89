package access

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var sortKeys = []string{"id", "type", "href", "created_at", "created_by_id", "last_modified_at", "last_modified_by_id", "state"}

// accountPolicyVerbs list policies whosever they are.
func accountPolicyVerbs() []shell.Verb {
	kinds := make([]string, len(subjects))
	for i, x := range subjects {
		kinds[i] = x.kind
	}
	return []shell.Verb{
		policiesOfAccount("access-policies", "List the access policies of the account", kinds, func(kind string) (url.Values, *subject) {
			at := slices.IndexFunc(subjects, func(x *subject) bool { return x.kind == kind })
			if at < 0 {
				return url.Values{"type": {"access"}}, nil
			}
			return url.Values{"type": {"access"}}, subjects[at]
		}),
		policiesOfAccount("account-policies", "List the policies of the account, authorizations included", []string{"access", "auth"},
			func(kind string) (url.Values, *subject) {
				switch kind {
				case "":
					return nil, nil
				case "auth":
					kind = "authorization"
				}
				return url.Values{"type": {kind}}, nil
			}),
	}
}

// policiesOfAccount makes a verb with a --type: select gives what the server is
// asked for and whose policies are shown, nil for everybody's.
func policiesOfAccount(use, short string, kinds []string, choose func(kind string) (url.Values, *subject)) shell.Verb {
	var kind, order, schema string
	return shell.Verb{
		Use: use, Short: short, Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVarP(&kind, "type", "t", "", "list only these: "+strings.Join(kinds, ", "))
			f.StringVar(&order, "sort-by", "", "`ATTRIBUTE` to sort by, with - before it backwards: "+strings.Join(sortKeys, ", "))
			schemaFlag(f, &schema)
		},
		Values: map[string][]string{"type": kinds, "sort-by": sortKeys, "api-version": schemas["api-version"]},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if err := checkSchema(schema); err != nil {
				return err
			}
			if kind != "" && !slices.Contains(kinds, kind) {
				return shell.Usagef("--type must be one of %s, not %q", strings.Join(kinds, ", "), kind)
			}
			if order != "" && !slices.Contains(sortKeys, strings.TrimPrefix(order, "-")) {
				return shell.Usagef("--sort-by must be one of %s, not %q", strings.Join(sortKeys, ", "), order)
			}
			c.Progress("Getting policies under current account as %s", s.User())
			query, whose := choose(kind)
			if order != "" {
				if query == nil {
					query = url.Values{}
				}
				query.Set("sort", order)
			}
			list, err := listPolicies(ctx, s, schemaOr(c, schema), query)
			if err != nil {
				return err
			}
			if whose != nil {
				list = slices.DeleteFunc(list, func(p client.Object[client.Policy]) bool { return !whose.owns(&p.Value) })
			}
			return showPolicies(c, list, true)
		},
	}
}

// owns tells whether a policy is about a holder of this sort.
func (x *subject) owns(p *client.Policy) bool {
	key, value := p.Who()
	return key == x.key && slices.ContainsFunc(x.prefixes, func(prefix string) bool { return strings.HasPrefix(value, prefix) })
}

// end is a side of an authorization: the service that may act, or the one that
// it acts on.
type end struct{ instance, group, resourceType, resource string }

func (e *end) define(f *pflag.FlagSet, side string) {
	f.StringVar(&e.instance, side+"-service-instance-id", "", "GUID of one instance of the "+side+" service")
	f.StringVar(&e.group, side+"-resource-group-id", "", "ID of a resource group of the "+side)
	f.StringVar(&e.resourceType, side+"-resource-type", "", "type of resource of the "+side)
	f.StringVar(&e.resource, side+"-resource", "", "one resource of the "+side)
}

func (e *end) attributes(account, service string) []client.Attribute {
	list := []client.Attribute{{Key: attrAccount, Operator: equals, Value: account}}
	for _, a := range [][2]string{{attrService, service}, {"serviceInstance", e.instance}, {attrGroup, e.group},
		{attrResourceType, e.resourceType}, {"resource", e.resource}} {
		if a[1] != "" {
			list = append(list, client.Attribute{Key: a[0], Operator: equals, Value: a[1]})
		}
	}
	return list
}

func authorizationVerbs() []shell.Verb {
	return []shell.Verb{authorizationCreateVerb(), authorizationsVerb(), authorizationVerb(), authorizationDeleteVerb()}
}

// authorized are the flags of the verb that makes an authorization.
type authorized struct {
	source, target end
	account, file  string
}

func (a *authorized) define(f *pflag.FlagSet) {
	a.source.define(f, "source")
	f.StringVar(&a.account, "source-service-account", "", "account of the source service (default: the current one)")
	a.target.define(f, "target")
	f.StringVar(&a.file, "file", "", "JSON `FILE` with the policy; - is standard input")
}

// body gives the document of the authorization and its schema.
func (a *authorized) body(ctx context.Context, c *shell.Call, s *shell.Session) (map[string]any, string, error) {
	if a.file != "" {
		return document(c, a.file)
	}
	account := a.account
	if account == "" {
		account = s.Account()
	}
	source, target := c.Args[0], c.Args[1]
	p := client.Policy{Type: "authorization", Subject: a.source.attributes(account, source),
		Resource: a.target.attributes(s.Account(), target)}
	query := url.Values{"account_id": {s.Account()}, "service_name": {target}, "source_service_name": {source},
		"policy_type": {"authorization"}}
	var err error
	p.Roles, err = roleIDs(ctx, s, strings.Split(c.Args[2], ","), query)
	return p.Body("v2"), "v2", err
}

func authorizationCreateVerb() shell.Verb {
	var a authorized
	return shell.Verb{
		Use: "authorization-policy-create (SOURCE_SERVICE TARGET_SERVICE ROLES | --file FILE)", Short: "Let a service act on another service",
		Example: "  kagiban iam authorization-policy-create cloud-object-storage kms Reader",
		Args:    cobra.MaximumNArgs(3), Output: true,
		Flags: a.define,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			if len(c.Args) != 3 && (a.file == "" || len(c.Args) > 0) || len(c.Args) == 3 && a.file != "" {
				return shell.Usagef("give either SOURCE_SERVICE TARGET_SERVICE ROLES or --file")
			}
			c.Progress("Creating authorization policy under current account as %s", s.User())
			body, schema, err := a.body(ctx, c, s)
			if err != nil {
				return err
			}
			made, err := client.Post[client.Policy](ctx, s.API, policyPath(schema), nil, body)
			if err != nil {
				return err
			}
			return written(ctx, c, s, made, "Authorization policy "+made.Value.ID+" was created.")
		},
	}
}

func authorizationsVerb() shell.Verb {
	return shell.Verb{
		Use: "authorization-policies", Short: "List the authorizations between services", Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting authorization policies under current account as %s", s.User())
			list, err := listPolicies(ctx, s, "v2", url.Values{"type": {"authorization"}})
			if err != nil {
				return err
			}
			return showPolicies(c, list, true)
		},
	}
}

// authorization gets a policy that must be an authorization.
func authorization(ctx context.Context, s *shell.Session, id string) (client.Object[client.Policy], error) {
	p, err := readPolicy(ctx, s, "v2", id)
	if err == nil && p.Value.Type != "authorization" {
		err = shell.Problemf("Policy %s is no authorization.", id)
	}
	return p, err
}

func authorizationVerb() shell.Verb {
	return shell.Verb{
		Use: "authorization-policy POLICY_ID", Short: "Show an authorization between services", Args: cobra.ExactArgs(1), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Getting authorization policy %s under current account as %s", c.Args[0], s.User())
			p, err := authorization(ctx, s, c.Args[0])
			if err != nil {
				return err
			}
			return showPolicy(ctx, c, s, p, "v2")
		},
	}
}

func authorizationDeleteVerb() shell.Verb {
	return shell.Verb{
		Use: "authorization-policy-delete POLICY_ID", Short: "Delete an authorization between services", Args: cobra.ExactArgs(1), Force: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			p, err := authorization(ctx, s, c.Args[0])
			if err != nil {
				return err
			}
			if err := c.Confirm("Really delete authorization policy %s?", c.Args[0]); err != nil {
				return err
			}
			c.Progress("Deleting authorization policy %s under current account as %s", c.Args[0], s.User())
			if err := s.API.Delete(ctx, policyPath(p.Value.Schema(), p.Value.ID)); err != nil {
				return err
			}
			c.Done("Authorization policy %s was deleted.", p.Value.ID)
			return nil
		},
	}
}
