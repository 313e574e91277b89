package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// maxBulk is the documented largest number of members or groups in one request.
const maxBulk = 50

// What whoever changes a group's members must be allowed to do to the group.
const (
	addMembers    = "iam-groups.members.add"
	removeMembers = "iam-groups.members.delete"
)

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

// Validate checks the identity and its type against each other.
func (n NewMember) Validate() error {
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
	return valid.Line("iam_id", n.IAMID)
}

// of gives the member that the identity becomes in a group.
func (n NewMember) of(g *Group) *Member {
	at := store.Meta{Account: g.Account, ID: MemberID(g.ID, n.IAMID), Parent: g.ID, Owner: n.IAMID, Name: n.IAMID}
	return &Member{Meta: at, Type: n.Type}
}

// Joining are identities that are to join one group. Each is judged by itself;
// Validate bounds their number.
type Joining []NewMember

// Validate implements valid.Checker.
func (l Joining) Validate() error { return bulk("members", len(l)) }

// Leaving are the IAM ids of members who are to leave one group.
type Leaving []string

// Validate implements valid.Checker.
func (l Leaving) Validate() error { return bulk("members", len(l)) }

// Spread is an identity that is to join several groups.
type Spread struct {
	NewMember
	Groups []string
}

// Validate implements valid.Checker.
func (j Spread) Validate() error {
	if err := bulk("groups", len(j.Groups)); err != nil {
		return err
	}
	return j.NewMember.Validate()
}

func bulk(field string, n int) error {
	if n == 0 {
		return fault.Missing(field)
	}
	if n > maxBulk {
		return fault.Field(field, "Property '%s' must hold at most %d entries.", field, maxBulk)
	}
	return nil
}

// Outcome is what became of one item of a bulk request.
type Outcome struct {
	IAMID, Type, Group string
	Member             *Member // nil when Err is set or when the member was removed
	Err                error   // a refusal
}

// manager is who changes members, as it is known inside a transaction.
type manager struct {
	policy.Subject
	asker.Rights
}

func managing(ctx context.Context, who asker.Asker, account string) (manager, error) {
	rights, err := who.Rights(ctx, account)
	return manager{who.Subject(), rights}, err
}

// may refuses a manager who may not do an action to a group.
func (m manager) may(action string, g *Group) error {
	on := GroupResource(g)
	if m.Lacks(on, []string{action}) == "" {
		return nil
	}
	return asker.Refusal(&m.Subject, action, on, NoGroup(g.ID))
}

// AddMembers makes each identity a static member of a group that was found and
// tells of each what became of it; being one already is success. The error is for
// the whole: who asks may not add members to the group, or the store failed.
func (s *Service) AddMembers(ctx context.Context, who asker.Asker, g *Group, list valid.Of[Joining]) ([]Outcome, error) {
	if err := asker.Need(ctx, who, addMembers, GroupResource(g), NoGroup(g.ID)); err != nil {
		return nil, err
	}
	var out []Outcome
	err := s.within(ctx, g, func(tx store.Tx) error {
		out = make([]Outcome, len(list.Value()))
		for i, n := range list.Value() {
			out[i] = Outcome{IAMID: n.IAMID, Type: n.Type, Group: g.ID}
			if out[i].Err = n.Validate(); out[i].Err != nil {
				continue
			}
			if err := s.join(ctx, tx, g, n, &out[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// AddToGroups adds one identity to several groups of an account and tells of
// each group what became of it: who asks needs the right for each.
func (s *Service) AddToGroups(ctx context.Context, who asker.Asker, account string, n valid.Of[Spread]) ([]Outcome, error) {
	by, err := managing(ctx, who, account)
	if err != nil {
		return nil, err
	}
	joining := n.Value()
	var out []Outcome
	err = s.db.Update(ctx, func(tx store.Tx) error {
		out = make([]Outcome, len(joining.Groups))
		for i, groupID := range joining.Groups {
			out[i] = Outcome{IAMID: joining.IAMID, Type: joining.Type, Group: groupID}
			g, err := Groups.Get(ctx, tx, account, groupID)
			switch {
			case errors.Is(err, fault.NotFound):
				out[i].Err = NoGroup(groupID)
				continue
			case err != nil:
				return err
			}
			if out[i].Err = by.may(addMembers, g); out[i].Err != nil {
				continue
			}
			if err := s.join(ctx, tx, g, joining.NewMember, &out[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// join adds one member; a refusal goes into the outcome, a failure is returned.
func (s *Service) join(ctx context.Context, tx store.Tx, g *Group, n NewMember, out *Outcome) error {
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
	out.Member = n.of(g)
	return Members.Create(ctx, tx, out.Member, memberEvent("add", g, out.Member))
}

// RemoveMember ends a static membership of a group that was found.
func (s *Service) RemoveMember(ctx context.Context, who asker.Asker, g *Group, iamID string) error {
	out, err := s.remove(ctx, who, g, []string{iamID})
	if err != nil {
		return err
	}
	return out[0].Err
}

// RemoveMembers removes each identity. When none was a member the whole is NotFound.
func (s *Service) RemoveMembers(ctx context.Context, who asker.Asker, g *Group, list valid.Of[Leaving]) ([]Outcome, error) {
	out, err := s.remove(ctx, who, g, list.Value())
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(out, func(o Outcome) bool { return o.Err == nil }) {
		return nil, &fault.Error{Kind: fault.NotFound, Code: "not_found",
			Message: fmt.Sprintf("No member %s of access group %s found.", strings.Join(list.Value(), ", "), g.ID)}
	}
	return out, nil
}

func (s *Service) remove(ctx context.Context, who asker.Asker, g *Group, iamIDs []string) ([]Outcome, error) {
	if err := asker.Need(ctx, who, removeMembers, GroupResource(g), NoGroup(g.ID)); err != nil {
		return nil, err
	}
	var out []Outcome
	err := s.within(ctx, g, func(tx store.Tx) error {
		out = make([]Outcome, len(iamIDs))
		for i, iamID := range iamIDs {
			out[i] = Outcome{IAMID: iamID, Group: g.ID}
			m, err := Members.Get(ctx, tx, g.Account, MemberID(g.ID, iamID))
			if errors.Is(err, fault.NotFound) {
				out[i].Err = noMember(g.ID, iamID)
				continue
			}
			if err == nil {
				err = leave(ctx, tx, g, m, &out[i])
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// leave ends one membership; a refusal goes into the outcome, a failure is returned.
func leave(ctx context.Context, tx store.Tx, g *Group, m *Member, out *Outcome) error {
	if m.Managed && !g.Controls.RemoveMembers {
		out.Err = managedByEnterprise("member")
		return nil
	}
	return Members.Delete(ctx, tx, m, memberEvent("delete", g, m))
}

func noMember(groupID, iamID string) error {
	return &fault.Error{Kind: fault.NotFound, Code: "not_found",
		Message: fmt.Sprintf("Member %s of access group %s not found.", iamID, groupID)}
}

// RemoveFromAll removes an identity from every group of an account and tells of
// each what became of it: who asks needs the right for each. Being in none is
// NotFound.
func (s *Service) RemoveFromAll(ctx context.Context, who asker.Asker, account, iamID string) ([]Outcome, error) {
	by, err := managing(ctx, who, account)
	if err != nil {
		return nil, err
	}
	var out []Outcome
	err = s.db.Update(ctx, func(tx store.Tx) error {
		list, err := Members.List(ctx, tx, store.Query{Account: account, Owner: iamID})
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return &fault.Error{Kind: fault.NotFound, Code: "not_found",
				Message: fmt.Sprintf("Member %s is in no access group of the account.", iamID)}
		}
		out = make([]Outcome, len(list))
		for i, m := range list {
			out[i] = Outcome{IAMID: iamID, Group: m.Parent}
			g, err := Groups.Get(ctx, tx, account, m.Parent)
			if err != nil {
				return fmt.Errorf("reading the group of a member: %w", err)
			}
			if out[i].Err = by.may(removeMembers, g); out[i].Err != nil {
				continue
			}
			if err := leave(ctx, tx, g, m, &out[i]); err != nil {
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
		by, err := s.dynamicMembers(ctx, g, iamID)
		return len(by) > 0, err
	}
	return err == nil, err
}

// MemberQuery selects the members of a group.
type MemberQuery struct {
	Membership MembershipFilter
	Type       string // "" is every type
	// Sort is id, iam_id, name or email; "-" before it reverses. The default is by
	// time of joining, those by rule last.
	Sort string
}

// ListMembers gives the members of a group. Those by rule have no id, and since
// their login; whoever is listed as well counts as static.
func (s *Service) ListMembers(ctx context.Context, g *Group, q MemberQuery) (lists.Source[Member], error) {
	key, desc := strings.CutPrefix(q.Sort, "-")
	listed := lists.Stored[Member]{Of: Members, From: s.db.Direct(), Query: store.Query{Account: g.Account, Parent: g.ID, Desc: desc}}
	if key != "" {
		listed.Query.Order = store.ByName // it is the IAM id
	}
	if q.Type != "" {
		listed.Keep = func(m *Member) (bool, error) { return m.Type == q.Type, nil }
	}
	var by []*Member
	if q.Membership != Static && (q.Type == "" || q.Type == MemberUser) {
		var err error
		if by, err = s.membersByRule(ctx, g); err != nil {
			return nil, err
		}
	}
	switch {
	case q.Membership == Dynamic:
		return s.heldMembers(ctx, g, by, key, desc)
	case len(by) == 0 && key != "name" && key != "email":
		return listed, nil
	}
	all, err := lists.All(ctx, listed)
	if err != nil {
		return nil, err
	}
	static := map[string]bool{}
	for _, m := range all {
		static[m.Owner] = true
	}
	for _, m := range by {
		if !static[m.Owner] {
			all = append(all, m)
		}
	}
	return s.heldMembers(ctx, g, all, key, desc)
}

// membersByRule gives those whom the rules of a group make members now.
func (s *Service) membersByRule(ctx context.Context, g *Group) ([]*Member, error) {
	by, err := s.dynamicMembers(ctx, g, "")
	out := make([]*Member, len(by))
	for i, d := range by {
		out[i] = &Member{Meta: store.Meta{Account: g.Account, Parent: g.ID, Owner: d.IAMID, CreatedAt: d.Since}, Type: MemberUser}
	}
	return out, err
}

// heldMembers gives a list of members that the store cannot sort.
func (s *Service) heldMembers(ctx context.Context, g *Group, list []*Member, key string, desc bool) (lists.Source[Member], error) {
	text := map[string]string{}
	if key == "name" || key == "email" {
		for _, m := range list {
			p, err := s.Describe(ctx, g.Account, m.Owner)
			if err != nil {
				return nil, err
			}
			text[m.Owner] = p.Name
			if key == "email" {
				text[m.Owner] = p.Email
			}
		}
	}
	return lists.Held(list, desc, func(m *Member) store.Cursor {
		at := store.Cursor{ID: m.Owner, Text: text[m.Owner]}
		switch {
		case key != "":
		case m.ID == "":
			at.Text = "by rule"
		default:
			at.Time = m.CreatedAt.UnixMicro()
		}
		return at
	}), nil
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
