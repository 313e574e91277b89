package iamaccessgroupsv2

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) memberRows() []httpapi.Row {
	const all, member, everywhere = one + "/members", one + "/members/{iam_id}", "/v2/groups/_allgroups/members/{iam_id}"
	return []httpapi.Row{
		httpapi.Op[memberIn, *access.Group, httpapi.None]{ID: "is_member_of_access_group", Method: http.MethodHead, Path: member, Status: 204,
			Action: "iam-groups.members.read", Find: findGroup[memberIn](a), Do: a.isMember},
		httpapi.Op[addMembersIn, toGroup[access.Joining], membersOut]{ID: "add_members_to_access_group", Method: http.MethodPut, Path: all,
			Status: 207, Action: "iam-groups.members.add", Find: findGroupFor[addMembersIn, access.Joining](a), Do: a.addMembers},
		httpapi.Op[listMembersIn, *access.Group, memberList]{ID: "list_access_group_members", Method: http.MethodGet, Path: all, Status: 200,
			Action: "iam-groups.members.list", Check: (*listMembersIn).check, Find: findGroup[listMembersIn](a), Do: a.listMembers},
		httpapi.Op[memberIn, *access.Group, httpapi.None]{ID: "remove_member_from_access_group", Method: http.MethodDelete, Path: member,
			Status: 204, Action: "iam-groups.members.delete", Find: findGroup[memberIn](a), Do: a.removeMember},
		httpapi.Op[removeMembersIn, toGroup[access.Leaving], removedOut]{ID: "remove_members_from_access_group", Method: http.MethodPost,
			Path: all + "/delete", Status: 207, Action: "iam-groups.members.delete",
			Find: findGroupFor[removeMembersIn, access.Leaving](a), Do: a.removeMembers},
		httpapi.Op[allGroupsIn, httpapi.None, groupsOut]{ID: "remove_member_from_all_access_groups", Method: http.MethodDelete, Path: everywhere,
			Status: 207, Action: "iam-groups.members.delete", Find: inAccount[allGroupsIn], Do: a.removeFromAll},
		httpapi.Op[addToManyIn, valid.Of[access.Spread], groupsOut]{ID: "add_member_to_multiple_access_groups", Method: http.MethodPut,
			Path: everywhere, Status: 207, Action: "iam-groups.members.add", Find: intoAccount[addToManyIn, access.Spread], Do: a.addToMany},
	}
}

// item is one entry of a bulk answer: its own status and errors.
type item struct {
	IAMID       string      `json:"iam_id,omitempty"`
	Type        string      `json:"type,omitempty"`
	GroupID     string      `json:"access_group_id,omitempty"`
	CreatedAt   string      `json:"created_at,omitempty"`
	CreatedByID string      `json:"created_by_id,omitempty"`
	StatusCode  int         `json:"status_code"`
	Trace       string      `json:"trace,omitempty"`
	Errors      []itemError `json:"errors,omitempty"`
}

type itemError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// wireOutcome gives the item of one outcome; ok is the status of success.
func wireOutcome(c *httpapi.Call, o access.Outcome, ok int) item {
	out := item{IAMID: o.IAMID, Type: o.Type, StatusCode: ok}
	if o.Err != nil {
		e := fault.Of(o.Err)
		out.StatusCode, out.Trace = httpapi.StatusOf(e.Kind), c.TransactionID
		message := e.Message
		if e.Kind == fault.Internal {
			message = "An internal error occurred."
		}
		out.Errors = []itemError{{codeOf(e), message}}
	}
	if o.Member != nil {
		out.CreatedAt, out.CreatedByID = httpapi.Millis(o.Member.CreatedAt), o.Member.CreatedBy
	}
	return out
}

func wireOutcomes(c *httpapi.Call, outcomes []access.Outcome, ok int) []item {
	return lists.Map(outcomes, func(o access.Outcome) item { return wireOutcome(c, o, ok) })
}

type memberIn struct {
	groupParam
	IAMID string `path:"iam_id"`
}

func (a *API) isMember(ctx context.Context, _ *httpapi.Call, in *memberIn, g *access.Group) (*httpapi.None, error) {
	yes, err := a.groups.IsMember(ctx, g, in.IAMID)
	if err == nil && !yes {
		err = &fault.Error{Kind: fault.NotFound, Code: "not_found", Message: "Member " + in.IAMID + " not found."}
	}
	return nil, err
}

type addMembersIn struct {
	groupParam
	Body struct {
		Members []struct {
			IAMID string `json:"iam_id"`
			Type  string `json:"type"`
		} `json:"members"`
	}
}

func (in addMembersIn) spec() access.Joining {
	list := make(access.Joining, len(in.Body.Members))
	for i, m := range in.Body.Members {
		list[i] = access.NewMember{IAMID: m.IAMID, Type: m.Type}
	}
	return list
}

type membersOut struct {
	Members []item `json:"members"`
}

func (a *API) addMembers(ctx context.Context, c *httpapi.Call, _ *addMembersIn, found toGroup[access.Joining]) (*membersOut, error) {
	outcomes, err := a.groups.AddMembers(ctx, c, found.Group, found.sent)
	if err != nil {
		return nil, err
	}
	return &membersOut{wireOutcomes(c, outcomes, 200)}, nil
}

// member is an entry of a member list.
type member struct {
	IAMID       string `json:"iam_id"`
	Type        string `json:"type"`
	Membership  string `json:"membership_type"`
	Name        string `json:"name,omitempty"`
	Email       string `json:"email,omitempty"`
	Description string `json:"description,omitempty"`
	Href        string `json:"href"`
	CreatedAt   string `json:"created_at"`
	CreatedByID string `json:"created_by_id"`
}

type memberList struct {
	lists.Offsets
	Members []member `json:"members"`
}

type listMembersIn struct {
	groupParam
	Membership string `query:"membership_type"`
	lists.OffsetIn
	Type    string `query:"type"`
	Verbose bool   `query:"verbose"`
	Sort    string `query:"sort"`
}

func (in *listMembersIn) check() error {
	if in.Type != "" && !slices.Contains([]string{access.MemberUser, access.MemberService, access.MemberProfile}, in.Type) {
		return fault.Field("type", "Parameter 'type' must be user, service or profile.")
	}
	if in.Membership != "" && !slices.Contains([]string{"static", "dynamic", "all"}, in.Membership) {
		return fault.Field("membership_type", "Parameter 'membership_type' must be static, dynamic or all.")
	}
	key := strings.TrimPrefix(in.Sort, "-")
	if in.Sort != "" && !slices.Contains([]string{"id", "iam_id", "name", "email"}, key) {
		return fault.Field("sort", "Parameter 'sort' must be id, name or email.")
	}
	if (key == "name" || key == "email") && !in.Verbose {
		return fault.Field("sort", "Members can be sorted by %s only with verbose=true.", key)
	}
	return nil
}

func (a *API) listMembers(ctx context.Context, c *httpapi.Call, in *listMembersIn, g *access.Group) (*memberList, error) {
	q := access.MemberQuery{Membership: access.MembershipFilter(in.Membership), Type: in.Type, Sort: in.Sort}
	found, err := a.groups.ListMembers(ctx, g, q)
	if err != nil {
		return nil, err
	}
	head, part, err := lists.ByOffset(ctx, a.pages, found, in.OffsetIn, c.Base, c.URL)
	if err != nil {
		return nil, err
	}
	out := &memberList{Offsets: head, Members: make([]member, len(part))}
	for i, m := range part {
		how := "static"
		if m.ID == "" {
			how = "dynamic"
		}
		out.Members[i] = member{IAMID: m.Owner, Type: m.Type, Membership: how, CreatedByID: m.CreatedBy,
			Href: c.Base + "/v2/groups/" + g.ID + "/members/" + url.PathEscape(m.Owner), CreatedAt: httpapi.Millis(m.CreatedAt)}
		if !in.Verbose {
			continue
		}
		p, err := a.groups.Describe(ctx, g.Account, m.Owner)
		if err != nil {
			return nil, err
		}
		out.Members[i].Name, out.Members[i].Email, out.Members[i].Description = p.Name, p.Email, p.Description
	}
	return out, nil
}

func (a *API) removeMember(ctx context.Context, c *httpapi.Call, in *memberIn, g *access.Group) (*httpapi.None, error) {
	return nil, a.groups.RemoveMember(ctx, c, g, in.IAMID)
}

type removeMembersIn struct {
	groupParam
	Body struct {
		Members []string `json:"members"`
	}
}

func (in removeMembersIn) spec() access.Leaving { return in.Body.Members }

type removedOut struct {
	GroupID string `json:"access_group_id"`
	Members []item `json:"members"`
}

func (a *API) removeMembers(ctx context.Context, c *httpapi.Call, in *removeMembersIn, found toGroup[access.Leaving]) (*removedOut, error) {
	outcomes, err := a.groups.RemoveMembers(ctx, c, found.Group, found.sent)
	if err != nil {
		return nil, err
	}
	return &removedOut{in.GroupID, wireOutcomes(c, outcomes, 204)}, nil
}

type allGroupsIn struct {
	accountParam
	IAMID string `path:"iam_id"`
}

type groupsOut struct {
	IAMID  string `json:"iam_id"`
	Groups []item `json:"groups"`
}

func wireGroupOutcomes(c *httpapi.Call, iamID string, outcomes []access.Outcome, ok int) *groupsOut {
	items := wireOutcomes(c, outcomes, ok)
	for i, o := range outcomes {
		items[i].IAMID, items[i].GroupID = "", o.Group
	}
	return &groupsOut{iamID, items}
}

func (a *API) removeFromAll(ctx context.Context, c *httpapi.Call, in *allGroupsIn, _ httpapi.None) (*groupsOut, error) {
	outcomes, err := a.groups.RemoveFromAll(ctx, c, in.AccountID, in.IAMID)
	if err != nil {
		return nil, err
	}
	return wireGroupOutcomes(c, in.IAMID, outcomes, 204), nil
}

type addToManyIn struct {
	accountParam
	IAMID string `path:"iam_id"`
	Body  struct {
		Type   string   `json:"type"`
		Groups []string `json:"groups"`
	}
}

func (in addToManyIn) spec() access.Spread {
	return access.Spread{NewMember: access.NewMember{IAMID: in.IAMID, Type: in.Body.Type}, Groups: in.Body.Groups}
}

func (a *API) addToMany(ctx context.Context, c *httpapi.Call, in *addToManyIn, n valid.Of[access.Spread]) (*groupsOut, error) {
	outcomes, err := a.groups.AddToGroups(ctx, c, in.AccountID, n)
	if err != nil {
		return nil, err
	}
	return wireGroupOutcomes(c, in.IAMID, outcomes, 200), nil
}
