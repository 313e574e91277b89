package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// MaxBulk is the documented largest number of members or groups in one request.
const MaxBulk = 50

// Types of members.
const (
	MemberUser    = "user"
	MemberService = "service"
	MemberProfile = "profile"
)

func memberEvent(verb string, g *Group, m *Member) store.Event {
	return store.Event{Action: "iam-groups.member." + verb, Params: []string{"members"}, CRN: GroupCRN(g),
		Message: fmt.Sprintf("IAM Access Groups: %s member %s of group %s", verb, m.Owner, g.Name)}
}

// NewMember names an identity that is to join a group.
type NewMember struct{ IAMID, Type string }

// Check validates the identity and its type against each other.
func (n NewMember) Check() error {
	prefix := map[string]string{MemberUser: "", MemberService: "iam-ServiceId-", MemberProfile: "iam-Profile-"}
	want, ok := prefix[n.Type]
	switch {
	case n.IAMID == "" || len(n.IAMID) > 300:
		return fault.Field("iam_id", "Property 'iam_id' is missing, empty or longer than 300 characters.")
	case !ok:
		return fault.Field("type", "Property 'type' must be user, service or profile.")
	case !strings.HasPrefix(n.IAMID, want):
		return fault.Field("iam_id", "Property 'iam_id' is not the IAM ID of a %s.", n.Type)
	}
	return nil
}

// Outcome is what became of one item of a bulk request.
type Outcome struct {
	IAMID, Type, Group string
	Member             *Member // nil when Err is set or when the member was removed
	Err                error
}

// AddMembers makes each identity a static member of a group and tells of each
// what became of it; being one already is success. The error is for the whole:
// the group is not there, or the store failed.
func (s *Service) AddMembers(ctx context.Context, groupID string, list []NewMember) ([]Outcome, error) {
	var out []Outcome
	_, err := s.changeGroup(ctx, groupID, "", func(tx store.Tx, g *Group) error {
		out = make([]Outcome, len(list))
		for i, n := range list {
			out[i] = Outcome{IAMID: n.IAMID, Type: n.Type, Group: groupID}
			if err := s.join(ctx, tx, g, n, &out[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// join adds one member; a refusal goes into the outcome, a failure is returned.
func (s *Service) join(ctx context.Context, tx store.Tx, g *Group, n NewMember, out *Outcome) error {
	if out.Err = n.Check(); out.Err != nil {
		return nil
	}
	m, err := Members.Get(ctx, tx, g.Account, MemberID(g.ID, n.IAMID))
	if err == nil {
		out.Member = m
		return nil
	}
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	if g.Template != nil && !g.Controls.AddMembers {
		out.Err = closedByEnterprise("members to this access group")
		return nil
	}
	joined, err := Members.Count(ctx, tx, store.Query{Account: g.Account, Owner: n.IAMID})
	if err != nil {
		return err
	}
	if joined >= s.limits.GroupsPerMember {
		out.Err = limitReached("groups of one member", s.limits.GroupsPerMember)
		return nil
	}
	m = &Member{Meta: store.Meta{Account: g.Account, ID: MemberID(g.ID, n.IAMID), Parent: g.ID, Owner: n.IAMID, Name: n.IAMID}, Type: n.Type}
	out.Member = m
	return Members.Create(ctx, tx, m, memberEvent("add", g, m))
}

// RemoveMember ends a static membership.
func (s *Service) RemoveMember(ctx context.Context, groupID, iamID string) error {
	out, err := s.removeMembers(ctx, groupID, []string{iamID})
	if err != nil {
		return err
	}
	return out[0].Err
}

// RemoveMembers removes each identity. When none was a member the whole is NotFound.
func (s *Service) RemoveMembers(ctx context.Context, groupID string, iamIDs []string) ([]Outcome, error) {
	out, err := s.removeMembers(ctx, groupID, iamIDs)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(out, func(o Outcome) bool { return o.Err == nil }) {
		return nil, &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: fmt.Sprintf("No member %s of access group %s found.", strings.Join(iamIDs, ", "), groupID)}
	}
	return out, nil
}

func (s *Service) removeMembers(ctx context.Context, groupID string, iamIDs []string) ([]Outcome, error) {
	var out []Outcome
	_, err := s.changeGroup(ctx, groupID, "", func(tx store.Tx, g *Group) error {
		out = make([]Outcome, len(iamIDs))
		for i, iamID := range iamIDs {
			out[i] = Outcome{IAMID: iamID, Group: groupID}
			m, err := Members.Get(ctx, tx, g.Account, MemberID(g.ID, iamID))
			if errors.Is(err, fault.NotFound) {
				out[i].Err = noMember(g.ID, iamID)
				continue
			}
			if err == nil && m.Managed && !g.Controls.RemoveMembers {
				out[i].Err = managedByEnterprise("member")
				continue
			}
			if err == nil {
				err = Members.Delete(ctx, tx, m, memberEvent("delete", g, m))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func noMember(groupID, iamID string) error {
	return &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: fmt.Sprintf("Member %s of access group %s not found.", iamID, groupID)}
}

// RemoveFromAll removes an identity from every group of an account; being in
// none is NotFound.
func (s *Service) RemoveFromAll(ctx context.Context, account, iamID string) ([]Outcome, error) {
	var out []Outcome
	err := s.db.Update(ctx, func(tx store.Tx) error {
		list, err := Members.List(ctx, tx, store.Query{Account: account, Owner: iamID})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: fmt.Sprintf("Member %s is in no access group of the account.", iamID)}
		}
		out = make([]Outcome, len(list))
		for i, m := range list {
			out[i] = Outcome{IAMID: iamID, Group: m.Parent}
			g, err := Groups.Get(ctx, tx, account, m.Parent)
			if err != nil {
				return fmt.Errorf("reading the group of a member: %w", err)
			}
			if m.Managed && !g.Controls.RemoveMembers {
				out[i].Err = managedByEnterprise("member")
				continue
			}
			if err := Members.Delete(ctx, tx, m, memberEvent("delete", g, m)); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// AddToGroups adds one identity to several groups of an account and tells of
// each group what became of it.
func (s *Service) AddToGroups(ctx context.Context, account string, n NewMember, groups []string) ([]Outcome, error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	var out []Outcome
	err := s.db.Update(ctx, func(tx store.Tx) error {
		out = make([]Outcome, len(groups))
		for i, groupID := range groups {
			out[i] = Outcome{IAMID: n.IAMID, Type: n.Type, Group: groupID}
			g, err := Groups.Get(ctx, tx, account, groupID)
			if errors.Is(err, fault.NotFound) {
				out[i].Err = NoGroup(groupID)
				continue
			}
			if err == nil {
				err = s.join(ctx, tx, g, n, &out[i])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// IsMember tells whether an identity is a member of a group, by being listed or
// by a rule.
func (s *Service) IsMember(ctx context.Context, g *Group, iamID string) (bool, error) {
	_, err := Members.Get(ctx, s.db.Direct(), g.Account, MemberID(g.ID, iamID))
	if errors.Is(err, fault.NotFound) {
		by, err := s.DynamicMembers(ctx, g, iamID)
		return len(by) > 0, err
	}
	return err == nil, err
}

// ListMembers gives the static members of a group, of one type if typ is set.
// Sort is id or iam_id; "-" before it reverses; the default is by time of joining.
func (s *Service) ListMembers(ctx context.Context, g *Group, typ, sort string) ([]*Member, error) {
	if g.ID == policy.PublicAccessGroupID {
		return nil, nil
	}
	list, err := Members.List(ctx, s.db.Direct(), store.Query{Account: g.Account, Parent: g.ID})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(m *Member) bool { return typ != "" && m.Type != typ })
	SortMembers(list, sort)
	return list, nil
}

// SortMembers sorts members by IAM id if sort is id or iam_id; "-" before it
// reverses.
func SortMembers(list []*Member, sort string) {
	key, desc := strings.CutPrefix(sort, "-")
	if key != "id" && key != "iam_id" {
		return
	}
	slices.SortFunc(list, func(a, b *Member) int {
		c := strings.Compare(a.Owner, b.Owner)
		if desc {
			return -c
		}
		return c
	})
}

// Users gives the users of an account by their IAM ids.
func (s *Service) Users(ctx context.Context, accountID string) (map[string]*account.User, error) {
	list, err := account.Users.List(ctx, s.db.Direct(), store.Query{Account: accountID})
	out := make(map[string]*account.User, len(list))
	for _, u := range list {
		out[u.ID] = u
	}
	return out, err
}

// Person is what member lists show of an identity.
type Person struct{ Name, Email, Description string }

// Describe gives name, e-mail and description of an identity of an account;
// empty for identities of elsewhere.
func (s *Service) Describe(ctx context.Context, accountID, iamID string) (Person, error) {
	r := s.db.Direct()
	if objectID, ok := id.OfIAM(iamID); ok {
		sid, err := identity.ServiceIDs.Get(ctx, r, accountID, objectID)
		if err == nil {
			return Person{Name: sid.Name, Description: sid.Description}, nil
		}
		p, err := identity.Profiles.Get(ctx, r, accountID, objectID)
		if err == nil {
			return Person{Name: p.Name, Description: p.Description}, nil
		}
		return Person{}, fault.Ignore(fault.NotFound, err)
	}
	u, err := account.Users.Get(ctx, r, accountID, iamID)
	if err != nil {
		return Person{}, fault.Ignore(fault.NotFound, err)
	}
	return Person{Name: u.Name, Email: u.Email}, nil
}
