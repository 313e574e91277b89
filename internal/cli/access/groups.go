package access

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/iam"
	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var groups = object.Kind[client.AccessGroup]{
	Noun: "access group", Verb: "access-group", Prefix: "AccessGroupId-",
	Path: "/v2/groups", Array: "groups", Pages: client.ByOffset, One: url.Values{"show_crn": {"true"}},
	Scope: func(s *shell.Session) url.Values {
		query := object.OfAccount(s)
		query.Set("show_crn", "true")
		return query
	},
	Named:  func(query url.Values, name string) { query.Set("search", "name:"+name) },
	Key:    func(g client.AccessGroup) (string, string) { return g.ID, g.Name },
	About:  func(g client.AccessGroup) string { return g.Description },
	Header: []string{"Name", "ID", "Description", "Created At"},
	Row: func(g client.AccessGroup) []string {
		return []string{g.Name, g.ID, g.Description, g.CreatedAt}
	},
	Rows: func(g client.AccessGroup) [][2]string {
		rows := [][2]string{{"ID", g.ID}, {"Name", g.Name}, {"Description", g.Description}}
		if g.CRN != "" {
			rows = append(rows, [2]string{"CRN", g.CRN})
		}
		return append(rows, [2]string{"Created At", g.CreatedAt}, [2]string{"Last Updated", g.LastModifiedAt})
	},
}

func groupVerbs() []shell.Verb {
	var description string
	create := shell.Verb{Flags: func(f *pflag.FlagSet) { f.StringVarP(&description, "description", "d", "", "description") }}
	renaming, renamed := object.Renaming()
	var recursive bool
	remove := shell.Verb{Flags: func(f *pflag.FlagSet) {
		f.BoolVarP(&recursive, "recursive", "r", false, "delete it although it has members or rules")
	}}
	return []shell.Verb{
		groupsVerb(),
		groups.Show(),
		groups.Create(create, func(_ context.Context, _ *shell.Call, s *shell.Session, name string) (client.Request, error) {
			body := map[string]string{"name": name}
			if description != "" {
				body["description"] = description
			}
			return client.Request{Query: object.OfAccount(s), Body: body}, nil
		}),
		groups.Update(shell.Verb{Flags: renaming}, http.MethodPatch, renamed, nil),
		groups.Delete(remove, " and its policies", func() url.Values {
			return url.Values{"force": {strconv.FormatBool(recursive)}}
		}),
	}
}

// groupsVerb lists the groups of the account, or those of one member.
func groupsVerb() shell.Verb {
	who := make([]string, len(members))
	v := shell.Verb{Flags: func(f *pflag.FlagSet) {
		for i, m := range members {
			f.StringVarP(&who[i], m.stem, m.letter, "", "list the groups of this "+m.noun)
		}
	}}
	return groups.List(v, func(ctx context.Context, _ *shell.Call, s *shell.Session, query url.Values) error {
		for i, m := range members {
			if who[i] == "" {
				continue
			}
			if query.Has("iam_id") {
				return shell.Usagef("--user, --service-id and --trusted-profile exclude each other")
			}
			iamID, err := m.id(ctx, s, who[i])
			if err != nil {
				return err
			}
			query.Set("iam_id", iamID)
		}
		return nil
	})
}

var groupRules = object.Kind[client.GroupRule]{
	Noun: "rule", Verb: "access-group-rule", Array: "rules",
	Owner: &object.Owner{Noun: "access group", Use: "GROUP", Path: func(ctx context.Context, s *shell.Session, nameOrID string) (string,
		error) {
		group, err := groups.Find(ctx, s, nameOrID)
		return groups.PathOf(group.Value.ID, "rules"), err
	}},
	Key:    func(r client.GroupRule) (string, string) { return r.ID, r.Name },
	Header: []string{"ID", "Name", "Realm Name", "Expiration", "Conditions"},
	Row: func(r client.GroupRule) []string {
		return []string{r.ID, r.Name, r.RealmName, strconv.Itoa(r.Expiration), iam.ConditionLines(r.Conditions)}
	},
	Rows: func(r client.GroupRule) [][2]string {
		return [][2]string{{"ID", r.ID}, {"Name", r.Name}, {"Realm Name", r.RealmName}, {"Expiration", strconv.Itoa(r.Expiration)},
			{"Conditions", iam.ConditionLines(r.Conditions)}, {"Created At", r.CreatedAt}}
	},
}

// ruleFlags are those of the verbs that write a rule of a group.
type ruleFlags struct {
	name, realm string
	hours       int
	conditions  []string
}

func (r *ruleFlags) rename(f *pflag.FlagSet) {
	f.StringVarP(&r.name, "name", "n", "", "new name")
	r.define(f)
}

func (r *ruleFlags) define(f *pflag.FlagSet) {
	f.StringVar(&r.realm, "realm-name", "", "URL of the identity provider")
	f.IntVar(&r.hours, "expiration", 24, "how long a login makes a member, in hours")
	f.StringArrayVar(&r.conditions, "conditions", nil, "claim:C,operator:OP,value:V; may be repeated, all must hold")
}

// change gives what the flags say; complete adds the rest of the old rule.
func (r *ruleFlags) change(c *shell.Call) (map[string]any, error) {
	body := map[string]any{}
	if c.Given("name") {
		body["name"] = r.name
	}
	if c.Given("realm-name") {
		body["realm_name"] = r.realm
	}
	if c.Given("expiration") {
		body["expiration"] = r.hours
	}
	if len(r.conditions) > 0 {
		list := make([]client.Condition, len(r.conditions))
		for i, text := range r.conditions {
			var err error
			if list[i], err = iam.ParseCondition(text); err != nil {
				return nil, err
			}
		}
		body["conditions"] = list
	}
	if len(body) == 0 {
		return nil, shell.Usagef("nothing to change: give --name, --realm-name, --expiration or --conditions")
	}
	return body, nil
}

func completeRule(old client.GroupRule, body map[string]any) {
	object.Complete(body, map[string]any{"name": old.Name, "realm_name": old.RealmName, "expiration": old.Expiration,
		"conditions": old.Conditions})
}

func ruleVerbs() []shell.Verb {
	var fresh, changed ruleFlags
	create := groupRules.Create(shell.Verb{Flags: fresh.define, Short: "Make federated users members of an access group by their claims"},
		func(_ context.Context, c *shell.Call, _ *shell.Session, name string) (client.Request, error) {
			if fresh.realm == "" || len(fresh.conditions) == 0 {
				return client.Request{}, shell.Usagef("--realm-name and --conditions are required")
			}
			body, err := fresh.change(c)
			if err != nil {
				return client.Request{}, err
			}
			completeRule(client.GroupRule{Name: name, Expiration: fresh.hours}, body)
			return client.Request{Body: body}, nil
		})
	return []shell.Verb{
		groupRules.List(shell.Verb{}, nil),
		groupRules.Show(),
		create,
		groupRules.Update(shell.Verb{Flags: changed.rename}, http.MethodPut, changed.change, completeRule),
		groupRules.Delete(shell.Verb{}, "", nil),
	}
}
