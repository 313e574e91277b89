package access

import (
	"context"
	"errors"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Bounds of a group's texts: the documented ones of group templates.
const (
	maxGroupName        = 100
	maxGroupDescription = 250
)

// GroupCRN is the resource name of a group.
func GroupCRN(g *Group) string {
	return "crn:v1:bluemix:public:iam-groups::a/" + g.Account + "::access-group:" + g.ID
}

func groupEvent(verb string, g *Group, params ...string) store.Event {
	return store.Event{Action: "iam-groups.group." + verb, CRN: GroupCRN(g), Params: params,
		Message: "IAM Access Groups: " + verb + " group " + g.Name}
}

// GroupResource is what decisions about a group are made on.
func GroupResource(g *Group) policy.Resource {
	return policy.Resource{ServiceName: "iam-groups", Account: g.Account, ResourceType: "group", Resource: g.ID}
}

// NewGroup is a group that is to be.
type NewGroup struct{ Name, Description string }

// Validate implements valid.Checker.
func (n NewGroup) Validate() error { return GroupChange{&n.Name, &n.Description}.Validate() }

// GroupChange changes the texts of a group; nil leaves one.
type GroupChange struct{ Name, Description *string }

// Validate implements valid.Checker.
func (c GroupChange) Validate() error {
	if c.Name != nil {
		switch n := utf8.RuneCountInString(*c.Name); {
		case strings.TrimSpace(*c.Name) == "":
			return fault.Missing("name")
		case n > maxGroupName:
			return fault.Field("name", "Property 'name' must have at most %d characters.", maxGroupName)
		}
	}
	if c.Description != nil && utf8.RuneCountInString(*c.Description) > maxGroupDescription {
		return fault.Field("description", "Property 'description' must have at most %d characters.", maxGroupDescription)
	}
	if c.Name != nil {
		if err := valid.Line("name", *c.Name); err != nil {
			return err
		}
	}
	if c.Description != nil {
		return valid.Prose("description", *c.Description)
	}
	return nil
}

// CreateGroup makes a group. Names need not be unique.
func (s *Service) CreateGroup(ctx context.Context, account string, n valid.Of[NewGroup]) (*Group, error) {
	var g *Group
	err := s.db.Update(ctx, func(tx store.Tx) error {
		g = &Group{Meta: store.Meta{Account: account, Name: n.Value().Name, Description: n.Value().Description}}
		return s.found(ctx, tx, g)
	})
	return g, err
}

// found stores a new group under a new id, when the account has room for it.
func (s *Service) found(ctx context.Context, tx store.Tx, g *Group) error {
	n, err := Groups.Count(ctx, tx, store.Query{Account: g.Account})
	if err != nil {
		return err
	}
	if n >= s.limits.Groups {
		return limitReached("access groups", s.limits.Groups)
	}
	g.ID = s.ids.New(id.AccessGroup)
	return Groups.Create(ctx, tx, g, groupEvent("create", g))
}

// PublicGroupName is the name of the built-in group of everybody.
const PublicGroupName = "Public Access"

// publicGroup is the built-in group that everybody in the account belongs to.
func publicGroup(account string) *Group {
	return &Group{Meta: store.Meta{Account: account, ID: policy.PublicAccessGroupID, Name: PublicGroupName,
		Description: "Everybody, callers without a token included, while public access is on.", Version: 1, Tag: "1-" + strings.Repeat("0", 32)}}
}

// GetGroup gives a group by id. The built-in public group is found only inside
// an account, so the account must be given for it.
func (s *Service) GetGroup(ctx context.Context, account, groupID string) (*Group, error) {
	if groupID == policy.PublicAccessGroupID && account != "" {
		return publicGroup(account), nil
	}
	g, err := Groups.Get(ctx, s.db.Direct(), "", groupID)
	if errors.Is(err, fault.NotFound) {
		return nil, NoGroup(groupID)
	}
	return g, err
}

// NoGroup is the error for a group that is not there, or not for the caller to know.
func NoGroup(groupID string) *fault.Error {
	return &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: "Access group with Id " + groupID + " not found."}
}

// changeable refuses to change the built-in group.
func changeable(g *Group) error {
	if g.ID == policy.PublicAccessGroupID {
		return &fault.Error{Kind: fault.Forbidden, Code: "forbidden", Message: "The public access group cannot be changed."}
	}
	return nil
}

// own refuses to change a group that is not the account's own: the built-in one
// and those of the enterprise.
func own(g *Group) error {
	if g.Template != nil {
		return managedByEnterprise("access group")
	}
	return changeable(g)
}

// within changes the parts of a group that was found: fn runs in a transaction
// in which the group is as it was found.
func (s *Service) within(ctx context.Context, g *Group, fn func(store.Tx) error) error {
	if err := changeable(g); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx store.Tx) error {
		if err := Groups.Hold(ctx, tx, g); err != nil {
			return err
		}
		return fn(tx)
	})
}

// UpdateGroup changes a group that was found, at the version that ifMatch names.
func (s *Service) UpdateGroup(ctx context.Context, found *Group, ifMatch string, c valid.Of[GroupChange]) (*Group, error) {
	if err := own(found); err != nil {
		return nil, err
	}
	if err := found.Match(ifMatch); err != nil {
		return nil, err
	}
	return Groups.Edit(ctx, s.db, found, func(_ store.Tx, g *Group) (store.Event, error) {
		var params []string
		if name := c.Value().Name; name != nil {
			g.Name = *name
			params = append(params, "name")
		}
		if description := c.Value().Description; description != nil {
			g.Description = *description
			params = append(params, "description")
		}
		return groupEvent("update", g, params...), nil
	})
}

// DeleteGroup deletes a group that was found, with its policies. With members or
// rules it needs force, which deletes them too.
func (s *Service) DeleteGroup(ctx context.Context, found *Group, force bool) error {
	if err := own(found); err != nil {
		return err
	}
	return Groups.Remove(ctx, s.db, found, func(tx store.Tx) (store.Event, error) {
		if !force {
			if err := unoccupied(ctx, tx, found); err != nil {
				return store.Event{}, err
			}
		}
		return groupEvent("delete", found), empty(ctx, tx, found)
	})
}

// unoccupied refuses a group with members or rules.
func unoccupied(ctx context.Context, r store.Reader, g *Group) error {
	parts := store.Query{Account: g.Account, Parent: g.ID}
	members, err := Members.Count(ctx, r, parts)
	if err != nil {
		return err
	}
	rules, err := GroupRules.Count(ctx, r, parts)
	if err == nil && members+rules > 0 {
		err = &fault.Error{Kind: fault.Conflict, Code: "group_not_empty", Message: "Access group " + g.ID + " has members or rules.",
			Details: "Remove them first, or delete with force=true."}
	}
	return err
}

// empty deletes the members, rules and policies of a group.
func empty(ctx context.Context, tx store.Tx, g *Group) error {
	parts := store.Query{Account: g.Account, Parent: g.ID}
	members, err := Members.List(ctx, tx, parts)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := Members.Delete(ctx, tx, m, memberEvent("delete", g, m)); err != nil {
			return err
		}
	}
	rules, err := GroupRules.List(ctx, tx, parts)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if err := GroupRules.Delete(ctx, tx, r, ruleEvent("delete", g, r)); err != nil {
			return err
		}
	}
	return deleteOwnPolicies(ctx, tx, g.Account, g.ID)
}

// deleteOwnPolicies removes the policies that an account itself gave a subject
// that goes away. Those of templates stay until their assignment takes them
// back: the account may not delete them, in no roundabout way either, and they
// grant nothing while the subject is not there or switched off.
func deleteOwnPolicies(ctx context.Context, tx store.Tx, account, subject string) error {
	policies, err := Policies.List(ctx, tx, store.Query{Account: account, Owner: subject})
	if err != nil {
		return err
	}
	for _, p := range policies {
		if p.Template != nil {
			continue
		}
		if err := Policies.Delete(ctx, tx, p, policyEvent("delete", p)); err != nil {
			return err
		}
	}
	return nil
}

// MembershipFilter selects groups by how an identity belongs to them.
type MembershipFilter string

// The filters; the empty one is All.
const (
	Static  MembershipFilter = "static"
	Dynamic MembershipFilter = "dynamic"
	All     MembershipFilter = "all"
)

// GroupQuery selects the groups of an account.
type GroupQuery struct {
	Account    string
	IAMID      string // only groups of this identity
	Membership MembershipFilter
	// SearchKey is id, name or description; Search is contained in it, case-insensitively.
	SearchKey, Search string
	Sort              string // id, name, description or is_federated; "-" before it reverses
	HidePublic        bool
}

// GroupView is a group with whether it has dynamic rules.
type GroupView struct {
	*Group
	Federated bool
}

// ListGroups gives the groups of a query, sorted. An account holds at most
// Limits.Groups: they are held in memory.
func (s *Service) ListGroups(ctx context.Context, q GroupQuery) (lists.Source[GroupView], error) {
	joined, err := s.joinedByRule(ctx, q)
	if err != nil {
		return nil, err
	}
	var out []*GroupView
	err = s.db.View(ctx, func(r store.Reader) error {
		groups, err := Groups.List(ctx, r, store.Query{Account: q.Account})
		if err != nil {
			return err
		}
		rules, err := GroupRules.List(ctx, r, store.Query{Account: q.Account})
		if err != nil {
			return err
		}
		federated := map[string]bool{}
		for _, rule := range rules {
			federated[rule.Parent] = true
		}
		member := maps.Clone(joined)
		if q.IAMID != "" && q.Membership != Dynamic {
			members, err := Members.List(ctx, r, store.Query{Account: q.Account, Owner: q.IAMID})
			if err != nil {
				return err
			}
			for _, m := range members {
				member[m.Parent] = true
			}
		}
		if !q.HidePublic && q.IAMID == "" {
			groups = append(groups, publicGroup(q.Account))
		}
		out = nil
		for _, g := range groups {
			if (q.IAMID == "" || member[g.ID]) && q.matches(g) {
				out = append(out, &GroupView{g, federated[g.ID]})
			}
		}
		return nil
	})
	key, desc := strings.CutPrefix(q.Sort, "-")
	return lists.Held(out, desc, func(g *GroupView) store.Cursor { return g.place(key) }), err
}

// place is where a group stands when groups are sorted by a key.
func (g *GroupView) place(key string) store.Cursor {
	at := store.Cursor{ID: g.ID}
	switch key {
	case "id":
	case "description":
		at.Text = g.Description
	case "is_federated":
		if g.Federated {
			at.Time = 1
		}
	default:
		at.Text = g.Name
	}
	return at
}

// joinedByRule gives the groups that a rule makes the identity of a query a
// member of now, when the query asks for such.
func (s *Service) joinedByRule(ctx context.Context, q GroupQuery) (map[string]bool, error) {
	groups := map[string]bool{}
	if q.IAMID == "" || q.Membership == Static {
		return groups, nil
	}
	list, err := s.admitted(ctx, q.Account, q.IAMID)
	for _, m := range list {
		groups[m.GroupID] = true
	}
	return groups, err
}

func (q GroupQuery) matches(g *Group) bool {
	if q.Search == "" {
		return true
	}
	text := map[string]string{"id": g.ID, "name": g.Name, "description": g.Description}[q.SearchKey]
	return strings.Contains(strings.ToLower(text), strings.ToLower(q.Search))
}
