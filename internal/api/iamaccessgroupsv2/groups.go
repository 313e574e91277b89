package iamaccessgroupsv2

import (
	"context"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
)

// group is an access group on the wire. description is never absent: the
// suites compare it with the empty string.
type group struct {
	ID             string `json:"id"`
	Name           string `json:"name"`
	Description    string `json:"description"`
	AccountID      string `json:"account_id"`
	CreatedAt      string `json:"created_at,omitempty"`
	CreatedByID    string `json:"created_by_id,omitempty"`
	LastModifiedAt string `json:"last_modified_at,omitempty"`
	LastModifiedBy string `json:"last_modified_by_id,omitempty"`
	Href           string `json:"href"`
	IsFederated    *bool  `json:"is_federated,omitempty"`
	CRN            string `json:"crn,omitempty"`
}

func wireGroup(c *httpapi.Call, g *access.Group, showCRN bool, federated *bool) *group {
	out := &group{ID: g.ID, Name: g.Name, Description: g.Description, AccountID: g.Account, CreatedByID: g.CreatedBy,
		LastModifiedBy: g.ModifiedBy, Href: c.Base + "/v2/groups/" + g.ID, IsFederated: federated}
	if !g.CreatedAt.IsZero() {
		out.CreatedAt, out.LastModifiedAt = httpapi.Millis(g.CreatedAt), httpapi.Millis(g.ModifiedAt)
	}
	if showCRN {
		out.CRN = access.GroupCRN(g)
	}
	return out
}

type createIn struct {
	accountParam
	Body struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
}

func (in *createIn) Validate() error {
	return access.CheckGroupTexts(&in.Body.Name, &in.Body.Description)
}

func (a *API) create(ctx context.Context, c *httpapi.Call, in *createIn) (*group, error) {
	g, err := a.groups.CreateGroup(ctx, in.AccountID, in.Body.Name, in.Body.Description)
	if err != nil {
		return nil, err
	}
	c.SetETag(g.Tag)
	return wireGroup(c, g, false, nil), nil
}

type groupList struct {
	lists.Offsets
	Groups []*group `json:"groups"`
}

type listIn struct {
	accountParam
	IAMID         string `query:"iam_id"`
	Search        string `query:"search"`
	Membership    string `query:"membership_type"`
	Limit         *int   `query:"limit"`
	Offset        *int   `query:"offset"`
	Sort          string `query:"sort"`
	ShowFederated bool   `query:"show_federated"`
	HidePublic    bool   `query:"hide_public_access"`
	ShowCRN       bool   `query:"show_crn"`
}

func (in *listIn) Validate() error {
	if in.Sort != "" && !slices.Contains([]string{"id", "name", "description", "is_federated"}, strings.TrimPrefix(in.Sort, "-")) {
		return fault.Field("sort", "Parameter 'sort' must be id, name, description or is_federated.")
	}
	if in.Membership != "" && !slices.Contains([]string{"static", "dynamic", "all"}, in.Membership) {
		return fault.Field("membership_type", "Parameter 'membership_type' must be static, dynamic or all.")
	}
	if key, _, ok := strings.Cut(in.Search, ":"); in.Search != "" && (!ok || !slices.Contains([]string{"id", "name", "description"}, key)) {
		return fault.Field("search", "Parameter 'search' must be id:…, name:… or description:….")
	}
	return nil
}

func (a *API) list(ctx context.Context, c *httpapi.Call, in *listIn) (*groupList, error) {
	key, text, _ := strings.Cut(in.Search, ":")
	all, err := a.groups.ListGroups(ctx, access.GroupQuery{Account: in.AccountID, IAMID: in.IAMID,
		Membership: access.MembershipFilter(in.Membership), SearchKey: key, Search: text, Sort: in.Sort, HidePublic: in.HidePublic})
	if err != nil {
		return nil, err
	}
	head, from, to, err := lists.ByOffset(c.Base, c.URL, in.Limit, in.Offset, len(all))
	if err != nil {
		return nil, err
	}
	out := &groupList{Offsets: head, Groups: []*group{}}
	for _, g := range all[from:to] {
		var federated *bool
		if in.ShowFederated {
			federated = &g.Federated
		}
		out.Groups = append(out.Groups, wireGroup(c, g.Group, in.ShowCRN, federated))
	}
	return out, nil
}

type getIn struct {
	groupParam
	ShowFederated bool `query:"show_federated"`
	ShowCRN       bool `query:"show_crn"`
}

func (a *API) get(ctx context.Context, c *httpapi.Call, in *getIn) (*group, error) {
	g, err := a.group(ctx, c, in.GroupID)
	if err != nil {
		return nil, err
	}
	var federated *bool
	if in.ShowFederated {
		rules, err := a.groups.ListRules(ctx, g)
		if err != nil {
			return nil, err
		}
		yes := len(rules) > 0
		federated = &yes
	}
	c.SetETag(g.Tag)
	return wireGroup(c, g, in.ShowCRN, federated), nil
}

type updateIn struct {
	groupParam
	IfMatch string `header:"If-Match"`
	Body    struct {
		Name        *string `json:"name"`
		Description *string `json:"description"`
	}
}

func (in *updateIn) Validate() error {
	if in.IfMatch == "" {
		return fault.Missing("If-Match")
	}
	return access.CheckGroupTexts(in.Body.Name, in.Body.Description)
}

func (a *API) update(ctx context.Context, c *httpapi.Call, in *updateIn) (*group, error) {
	g, err := a.groups.UpdateGroup(ctx, in.GroupID, in.IfMatch, in.Body.Name, in.Body.Description)
	if err != nil {
		return nil, err
	}
	c.SetETag(g.Tag)
	return wireGroup(c, g, false, nil), nil
}

type deleteIn struct {
	groupParam
	Force bool `query:"force"`
}

func (a *API) delete(ctx context.Context, _ *httpapi.Call, in *deleteIn) (*group, error) {
	return nil, a.groups.DeleteGroup(ctx, in.GroupID, in.Force)
}

type accountIn struct{ accountParam }

type settings struct {
	AccountID      string `json:"account_id"`
	LastModifiedAt string `json:"last_modified_at,omitempty"`
	LastModifiedBy string `json:"last_modified_by_id,omitempty"`
	PublicAccess   bool   `json:"public_access_enabled"`
}

func wireSettings(s *access.Settings) *settings {
	out := &settings{AccountID: s.Account, PublicAccess: !s.PublicAccessOff, LastModifiedBy: s.ModifiedBy}
	if !s.ModifiedAt.IsZero() {
		out.LastModifiedAt = httpapi.Millis(s.ModifiedAt)
	}
	return out
}

func (a *API) getSettings(ctx context.Context, _ *httpapi.Call, in *accountIn) (*settings, error) {
	s, err := a.groups.GetSettings(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	return wireSettings(s), nil
}

type updateSettingsIn struct {
	accountParam
	Body struct {
		PublicAccess *bool `json:"public_access_enabled"`
	}
}

func (a *API) updateSettings(ctx context.Context, _ *httpapi.Call, in *updateSettingsIn) (*settings, error) {
	if in.Body.PublicAccess == nil {
		return a.getSettings(ctx, nil, &accountIn{in.accountParam})
	}
	s, err := a.groups.SetPublicAccess(ctx, in.AccountID, *in.Body.PublicAccess)
	if err != nil {
		return nil, err
	}
	return wireSettings(s), nil
}
