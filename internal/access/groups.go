package access

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
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

// CheckGroupTexts validates the name (nil: unchanged) and description of a group.
func CheckGroupTexts(name, description *string) error {
	if name != nil {
		switch n := utf8.RuneCountInString(*name); {
		case strings.TrimSpace(*name) == "":
			return fault.Missing("name")
		case n > maxGroupName:
			return fault.Field("name", "Property 'name' must have at most %d characters.", maxGroupName)
		}
	}
	if description != nil && utf8.RuneCountInString(*description) > maxGroupDescription {
		return fault.Field("description", "Property 'description' must have at most %d characters.", maxGroupDescription)
	}
	return nil
}

// CreateGroup makes a group. Names need not be unique.
func (s *Service) CreateGroup(ctx context.Context, account, name, description string) (*Group, error) {
	if err := CheckGroupTexts(&name, &description); err != nil {
		return nil, err
	}
	var g *Group
	err := s.db.Update(ctx, func(tx store.Tx) error {
		n, err := Groups.Count(ctx, tx, store.Query{Account: account})
		if err != nil {
			return err
		}
		if n >= s.limits.Groups {
			return limitReached("access groups", s.limits.Groups)
		}
		g = &Group{Meta: store.Meta{Account: account, ID: s.ids.New(id.AccessGroup), Name: name, Description: description}}
		return Groups.Create(ctx, tx, g, groupEvent("create", g))
	})
	return g, err
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

// change reads a group in a transaction, checks the precondition and applies fn.
func (s *Service) changeGroup(ctx context.Context, groupID, ifMatch string, fn func(store.Tx, *Group) error) (*Group, error) {
	var g *Group
	err := s.db.Update(ctx, func(tx store.Tx) (err error) {
		if groupID == policy.PublicAccessGroupID {
			return &fault.Error{Kind: fault.Forbidden, Code: "forbidden", Message: "The public access group cannot be changed."}
		}
		if g, err = Groups.Get(ctx, tx, "", groupID); err != nil {
			if errors.Is(err, fault.NotFound) {
				return NoGroup(groupID)
			}
			return err
		}
		if ifMatch != "" {
			if err := g.Match(ifMatch); err != nil {
				return err
			}
		}
		return fn(tx, g)
	})
	return g, err
}

// UpdateGroup changes name and description; nil leaves them.
func (s *Service) UpdateGroup(ctx context.Context, groupID, ifMatch string, name, description *string) (*Group, error) {
	if err := CheckGroupTexts(name, description); err != nil {
		return nil, err
	}
	if ifMatch == "" {
		return nil, fault.Missing("If-Match")
	}
	return s.changeGroup(ctx, groupID, ifMatch, func(tx store.Tx, g *Group) error {
		if g.Template != nil {
			return managedByEnterprise("access group")
		}
		var params []string
		if name != nil {
			g.Name = *name
			params = append(params, "name")
		}
		if description != nil {
			g.Description = *description
			params = append(params, "description")
		}
		return Groups.Update(ctx, tx, g, groupEvent("update", g, params...))
	})
}

// DeleteGroup deletes a group with its policies. With members or rules it
// needs force, which deletes them too.
func (s *Service) DeleteGroup(ctx context.Context, groupID string, force bool) error {
	_, err := s.changeGroup(ctx, groupID, "", func(tx store.Tx, g *Group) error {
		if g.Template != nil {
			return managedByEnterprise("access group")
		}
		parts := store.Query{Account: g.Account, Parent: g.ID}
		members, err := Members.Count(ctx, tx, parts)
		if err != nil {
			return err
		}
		rules, err := GroupRules.Count(ctx, tx, parts)
		if err != nil {
			return err
		}
		if !force && members+rules > 0 {
			return &fault.Error{Kind: fault.Conflict, Code: "group_not_empty", Message: "Access group " + g.ID + " has members or rules.",
				Details: "Remove them first, or delete with force=true."}
		}
		return dissolve(ctx, tx, g)
	})
	return err
}

// dissolve deletes a group with its members, rules and policies.
func dissolve(ctx context.Context, tx store.Tx, g *Group) error {
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
	if err := deleteOwnPolicies(ctx, tx, g.Account, g.ID); err != nil {
		return err
	}
	return Groups.Delete(ctx, tx, g, groupEvent("delete", g))
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

// ListGroups gives all groups of a query, sorted. An account holds at most
// Limits.Groups, so lists are cut into pages by the caller.
func (s *Service) ListGroups(ctx context.Context, q GroupQuery) ([]GroupView, error) {
	joined, err := s.joinedByRule(ctx, q)
	if err != nil {
		return nil, err
	}
	var out []GroupView
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
			if q.IAMID != "" && !member[g.ID] {
				continue
			}
			if q.matches(g) {
				out = append(out, GroupView{g, federated[g.ID]})
			}
		}
		return nil
	})
	q.sort(out)
	return out, err
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

func (q GroupQuery) sort(list []GroupView) {
	key, desc := strings.CutPrefix(q.Sort, "-")
	slices.SortStableFunc(list, func(a, b GroupView) int {
		c := strings.Compare(a.Name, b.Name)
		switch key {
		case "id":
			c = 0
		case "description":
			c = strings.Compare(a.Description, b.Description)
		case "is_federated":
			c = strings.Compare(yesNo(a.Federated), yesNo(b.Federated))
		}
		if c == 0 {
			c = strings.Compare(a.ID, b.ID)
		}
		if desc {
			return -c
		}
		return c
	})
}

func yesNo(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
