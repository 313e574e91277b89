package access

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/iam"
	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// member is a sort of identity that groups hold and policies are about.
type member struct {
	stem   string // in the names of verbs and flags: "service-id"
	noun   string // "service ID"
	use    string // "SERVICE_ID"
	letter string // short flag of access-groups
	kind   string // in the API: "service"
	// id gives the IAM ID of what a user wrote.
	id func(ctx context.Context, s *shell.Session, nameOrID string) (string, error)
}

var members = []*member{
	{"user", "user", "USER", "u", "user", userID},
	{"service-id", "service ID", "SERVICE_ID", "s", "service", serviceID},
	{"trusted-profile", "trusted profile", "PROFILE", "p", "profile", profileID},
}

// userID takes IAM IDs as they are, and the e-mail address of the session's own
// user: there is no list of others to look into.
func userID(_ context.Context, s *shell.Session, name string) (string, error) {
	if strings.EqualFold(name, s.Claims.Email) && s.Claims.SubType == "" {
		return s.Claims.IAMID, nil
	}
	if strings.Contains(name, "@") {
		return "", shell.Problemf("User %s is not you. Name other users by their IAM ID, such as IBMid-1234567890.", name)
	}
	return name, nil
}

func serviceID(ctx context.Context, s *shell.Session, nameOrID string) (string, error) {
	found, err := iam.ServiceIDs.Find(ctx, s, strings.TrimPrefix(nameOrID, "iam-"))
	return found.Value.IAMID, err
}

func profileID(ctx context.Context, s *shell.Session, nameOrID string) (string, error) {
	found, err := iam.Profiles.Find(ctx, s, strings.TrimPrefix(nameOrID, "iam-"))
	return "iam-" + found.Value.ID, err
}

func memberVerbs() []shell.Verb {
	var verbs []shell.Verb
	for _, m := range members {
		verbs = append(verbs, m.listVerb(), m.addVerb(), m.removeVerb(), m.purgeVerb())
	}
	return verbs
}

func (m *member) listVerb() shell.Verb {
	return shell.Verb{
		Use: "access-group-" + m.stem + "s GROUP", Short: "List the " + m.noun + "s in an access group", Args: cobra.ExactArgs(1), Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Listing %ss in access group %s under current account as %s", m.noun, c.Args[0], s.User())
			group, err := groups.Find(ctx, s, c.Args[0])
			if err != nil {
				return err
			}
			query := url.Values{"type": {m.kind}, "verbose": {"true"}}
			list, err := client.List[client.GroupMember](ctx, s.API, client.ByOffset, groups.PathOf(group.Value.ID, "members"), "members", query)
			if err != nil {
				return err
			}
			return object.Table(c, m.noun+"s", []string{"Name", "IAM ID", "Email", "Membership", "Added At"}, list,
				func(g client.GroupMember) []string {
					return []string{g.Name, g.IAMID, g.Email, g.Membership, g.CreatedAt}
				})
		},
	}
}

// maxBulk is how many members one request may name, by the documentation.
const maxBulk = 50

func (m *member) addVerb() shell.Verb {
	var given []string
	use, args := m.use+"...", cobra.MinimumNArgs(2)
	v := shell.Verb{Short: "Add " + m.noun + "s to an access group", Output: true}
	if m.kind == "user" {
		use, args = "(USER... | --iam-ids ID,ID)", cobra.MinimumNArgs(1)
		v.Flags = func(f *pflag.FlagSet) {
			f.StringSliceVar(&given, "iam-ids", nil, "IAM IDs of users, separated by commas")
		}
	}
	v.Use, v.Args = "access-group-"+m.stem+"-add GROUP "+use, args
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		ids := slices.Clone(given)
		if len(ids) == 0 && len(c.Args) == 1 {
			return shell.Usagef("name at least one %s", m.noun)
		}
		c.Progress("Adding %ss to access group %s under current account as %s", m.noun, c.Args[0], s.User())
		group, err := groups.Find(ctx, s, c.Args[0])
		if err != nil {
			return err
		}
		for _, name := range c.Args[1:] {
			id, err := m.id(ctx, s, name)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		all, err := m.add(ctx, s, groups.PathOf(group.Value.ID, "members"), ids)
		if err != nil {
			return err
		}
		return outcome(c, all, "Added to access group "+group.Value.Name+":")
	}
	return v
}

// add makes members of IAM IDs, in as many requests as it takes.
func (m *member) add(ctx context.Context, s *shell.Session, path string, ids []string) ([]client.Object[client.GroupOutcome], error) {
	all := []client.Object[client.GroupOutcome]{}
	for part := range slices.Chunk(ids, maxBulk) {
		list := make([]map[string]string, len(part))
		for i, id := range part {
			list[i] = map[string]string{"iam_id": id, "type": m.kind}
		}
		var answer struct {
			Members []client.Object[client.GroupOutcome] `json:"members"`
		}
		if err := s.API.Call(ctx, client.Request{Method: http.MethodPut, Path: path, Body: map[string]any{"members": list}},
			&answer); err != nil {
			return nil, err
		}
		all = append(all, answer.Members...)
	}
	return all, nil
}

// outcome shows what became of several members or groups; a single one that
// failed fails the verb, after the others are told.
func outcome(c *shell.Call, all []client.Object[client.GroupOutcome], sentence string) error {
	var good [][]string
	var bad []string
	for _, o := range client.Values(all) {
		if problem := o.Problem(); problem != "" {
			bad = append(bad, problem)
		} else {
			good = append(good, []string{o.IAMID + o.GroupID})
		}
	}
	if len(bad) > 0 {
		text := strings.Join(bad, "\n")
		for _, g := range good {
			text += "\n" + g[0] + ": done"
		}
		return shell.Problem(text)
	}
	return c.Show(all, func() {
		c.Say("%s", sentence)
		for _, g := range good {
			c.Say("%s", g[0])
		}
	})
}

func (m *member) removeVerb() shell.Verb {
	return shell.Verb{
		Use: "access-group-" + m.stem + "-remove GROUP " + m.use, Short: "Remove " + object.A(m.noun) + " from an access group",
		Args: cobra.ExactArgs(2), Force: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			c.Progress("Removing %s %s from access group %s under current account as %s", m.noun, c.Args[1], c.Args[0], s.User())
			group, err := groups.Find(ctx, s, c.Args[0])
			if err != nil {
				return err
			}
			id, err := m.id(ctx, s, c.Args[1])
			if err != nil {
				return err
			}
			if err := s.API.Delete(ctx, groups.PathOf(group.Value.ID, "members", id)); err != nil {
				return err
			}
			c.Done("%s is removed from access group %s", c.Args[1], group.Value.Name)
			return nil
		},
	}
}

func (m *member) purgeVerb() shell.Verb {
	return shell.Verb{
		Use: "access-group-" + m.stem + "-purge " + m.use, Short: "Remove " + object.A(m.noun) + " from all access groups",
		Args: cobra.ExactArgs(1), Force: true, Output: true,
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			id, err := m.id(ctx, s, c.Args[0])
			if err != nil {
				return err
			}
			if err := c.Confirm("Really remove %s %s from all access groups?", m.noun, c.Args[0]); err != nil {
				return err
			}
			c.Progress("Removing %s %s from all access groups under current account as %s", m.noun, c.Args[0], s.User())
			var answer struct {
				Groups []client.Object[client.GroupOutcome] `json:"groups"`
			}
			r := client.Request{Method: http.MethodDelete, Path: groups.PathOf("_allgroups", "members", id), Query: object.OfAccount(s)}
			if err := s.API.Call(ctx, r, &answer); err != nil {
				return err
			}
			return outcome(c, answer.Groups, c.Args[0]+" is removed from:")
		},
	}
}
