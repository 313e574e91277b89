package iamaccessgroupsv2

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) groupRows() []httpapi.Row {
	const all, settings = "/v2/groups", "/v2/groups/settings"
	return []httpapi.Row{
		httpapi.Op[createIn, valid.Of[access.NewGroup], group]{ID: "create_access_group", Method: http.MethodPost, Path: all, Status: 201,
			Action: "iam-groups.groups.create", Find: intoAccount[createIn, access.NewGroup], Do: a.create},
		httpapi.Op[listIn, httpapi.None, groupList]{ID: "list_access_groups", Method: http.MethodGet, Path: all, Status: 200,
			Action: "iam-groups.groups.list", Check: (*listIn).check, Find: inAccount[listIn], Do: a.list},
		httpapi.Op[getIn, *access.Group, group]{ID: "get_access_group", Method: http.MethodGet, Path: one, Status: 200,
			Action: "iam-groups.groups.read", Find: findGroup[getIn](a), Do: a.get},
		httpapi.Op[updateIn, toGroup[access.GroupChange], group]{ID: "update_access_group", Method: http.MethodPatch, Path: one, Status: 200,
			Action: "iam-groups.groups.update", Check: (*updateIn).Present, Find: findGroupFor[updateIn, access.GroupChange](a), Do: a.update},
		httpapi.Op[deleteIn, *access.Group, httpapi.None]{ID: "delete_access_group", Method: http.MethodDelete, Path: one, Status: 204,
			Action: "iam-groups.groups.delete", Find: findGroup[deleteIn](a), Do: a.delete},
		httpapi.Op[accountIn, httpapi.None, settingsOut]{ID: "get_account_settings", Method: http.MethodGet, Path: settings, Status: 200,
			Action: "iam-groups.account-settings.read", Find: inAccount[accountIn], Do: a.getSettings},
		httpapi.Op[updateSettingsIn, httpapi.None, settingsOut]{ID: "update_account_settings", Method: http.MethodPatch, Path: settings,
			Status: 200, Action: "iam-groups.account-settings.update", Find: inAccount[updateSettingsIn], Do: a.updateSettings},
	}
}

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

func (in createIn) spec() access.NewGroup {
	return access.NewGroup{Name: in.Body.Name, Description: in.Body.Description}
}

func (a *API) create(ctx context.Context, c *httpapi.Call, in *createIn, n valid.Of[access.NewGroup]) (*group, error) {
	g, err := a.groups.CreateGroup(ctx, in.AccountID, n)
	return shownGroup(c, g, err)
}

// shownGroup words a group that was written.
func shownGroup(c *httpapi.Call, g *access.Group, err error) (*group, error) {
	return httpapi.Shown(c, g, err, func(g *access.Group) *group { return wireGroup(c, g, false, nil) })
}

type groupList struct {
	lists.Offsets
	Groups []*group `json:"groups"`
}

type listIn struct {
	accountParam
	IAMID      string `query:"iam_id"`
	Search     string `query:"search"`
	Membership string `query:"membership_type"`
	lists.OffsetIn
	Sort          string `query:"sort"`
	ShowFederated bool   `query:"show_federated"`
	HidePublic    bool   `query:"hide_public_access"`
	ShowCRN       bool   `query:"show_crn"`
}

func (in *listIn) check() error {
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

func (a *API) list(ctx context.Context, c *httpapi.Call, in *listIn, _ httpapi.None) (*groupList, error) {
	key, text, _ := strings.Cut(in.Search, ":")
	found, err := a.groups.ListGroups(ctx, access.GroupQuery{Account: in.AccountID, IAMID: in.IAMID,
		Membership: access.MembershipFilter(in.Membership), SearchKey: key, Search: text, Sort: in.Sort, HidePublic: in.HidePublic})
	if err != nil {
		return nil, err
	}
	head, part, err := lists.ByOffset(ctx, a.pages, found, in.OffsetIn, c.Base, c.URL)
	if err != nil {
		return nil, err
	}
	return &groupList{head, lists.Map(part, func(g *access.GroupView) *group {
		var federated *bool
		if in.ShowFederated {
			federated = &g.Federated
		}
		return wireGroup(c, g.Group, in.ShowCRN, federated)
	})}, nil
}

type getIn struct {
	groupParam
	ShowFederated bool `query:"show_federated"`
	ShowCRN       bool `query:"show_crn"`
}

func (a *API) get(ctx context.Context, c *httpapi.Call, in *getIn, g *access.Group) (*group, error) {
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
	httpapi.Conditional
	Body struct {
		Name        *string `json:"name"`
		Description *string `json:"description"`
	}
}

func (in updateIn) spec() access.GroupChange {
	return access.GroupChange{Name: in.Body.Name, Description: in.Body.Description}
}

func (a *API) update(ctx context.Context, c *httpapi.Call, in *updateIn, found toGroup[access.GroupChange]) (*group, error) {
	g, err := a.groups.UpdateGroup(ctx, found.Group, in.IfMatch, found.sent)
	return shownGroup(c, g, err)
}

type deleteIn struct {
	groupParam
	Force bool `query:"force"`
}

func (a *API) delete(ctx context.Context, _ *httpapi.Call, in *deleteIn, g *access.Group) (*httpapi.None, error) {
	return nil, a.groups.DeleteGroup(ctx, g, in.Force)
}

type accountIn struct{ accountParam }

type settingsOut struct {
	AccountID      string `json:"account_id"`
	LastModifiedAt string `json:"last_modified_at,omitempty"`
	LastModifiedBy string `json:"last_modified_by_id,omitempty"`
	PublicAccess   bool   `json:"public_access_enabled"`
}

func wireSettings(s *access.Settings) *settingsOut {
	out := &settingsOut{AccountID: s.Account, PublicAccess: !s.PublicAccessOff, LastModifiedBy: s.ModifiedBy}
	if !s.ModifiedAt.IsZero() {
		out.LastModifiedAt = httpapi.Millis(s.ModifiedAt)
	}
	return out
}

func (a *API) getSettings(ctx context.Context, _ *httpapi.Call, in *accountIn, _ httpapi.None) (*settingsOut, error) {
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

func (a *API) updateSettings(ctx context.Context, _ *httpapi.Call, in *updateSettingsIn, _ httpapi.None) (*settingsOut, error) {
	if in.Body.PublicAccess == nil {
		return a.getSettings(ctx, nil, &accountIn{in.accountParam}, httpapi.None{})
	}
	s, err := a.groups.SetPublicAccess(ctx, in.AccountID, *in.Body.PublicAccess)
	if err != nil {
		return nil, err
	}
	return wireSettings(s), nil
}
