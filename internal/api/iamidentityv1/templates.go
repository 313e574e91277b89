package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/page"
)

// templateRows are the lists of templates and assignments. Nothing can make a
// template in this version, so each is the whole truth when it is empty;
// clients read them before they begin and after they end.
func (a *API) templateRows() []httpapi.Operation {
	const profiles, settings = "/v1/profile_templates", "/v1/account_settings_templates"
	return []httpapi.Operation{
		httpapi.Op(Family, "list_profile_templates", "GET", profiles, 200, act("profile-template.read"),
			at[listTemplatesIn](a), func(_ context.Context, _ *httpapi.Call, in *listTemplatesIn) (*profileTemplateList, error) {
				return &profileTemplateList{Paging: in.empty(a, profiles), List: []done{}}, nil
			}),
		httpapi.Op(Family, "list_account_settings_templates", "GET", settings, 200, act("account-settings-template.read"),
			at[listTemplatesIn](a), func(_ context.Context, _ *httpapi.Call, in *listTemplatesIn) (*settingsTemplateList, error) {
				return &settingsTemplateList{Paging: in.empty(a, settings), List: []done{}}, nil
			}),
		httpapi.Op(Family, "list_trusted_profile_assignments", "GET", "/v1/profile_assignments", 200, act("profile-assignment.read"),
			at[listTemplatesIn](a), func(_ context.Context, _ *httpapi.Call, in *listTemplatesIn) (*assignmentList, error) {
				return &assignmentList{Paging: in.empty(a, "/v1/profile_assignments/"), List: []done{}}, nil
			}),
		httpapi.Op(Family, "list_account_settings_assignments", "GET", "/v1/account_settings_assignments", 200, act("account-settings-assignment.read"),
			at[listTemplatesIn](a), func(_ context.Context, _ *httpapi.Call, in *listTemplatesIn) (*assignmentList, error) {
				return &assignmentList{Paging: in.empty(a, "/v1/account_settings_assignments/"), List: []done{}}, nil
			}),
	}
}

type profileTemplateList struct {
	Paging
	List []done `json:"profile_templates"`
}

type settingsTemplateList struct {
	Paging
	List []done `json:"account_settings_templates"`
}

type assignmentList struct {
	Paging
	List []done `json:"assignments"`
}

type listTemplatesIn struct {
	AccountID string `query:"account_id"`
	Limit     *int   `query:"limit"`
	PageToken string `query:"pagetoken"`
}

// find is about the caller's own account unless another is named.
func (in *listTemplatesIn) find(_ context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	if in.PageToken != "" {
		// An empty list has no other page, so no token is one of its own.
		_, err := a.ids.Pages.Open(in.PageToken, "none", "pagetoken")
		return t, err
	}
	if in.AccountID == "" {
		in.AccountID = c.Caller.Account
	}
	c.Seeks("Account", in.AccountID)
	return target(in.AccountID, typeTemplate, "", "", ""), identity.CheckAccount("account_id", in.AccountID)
}

// Validate bounds the size.
func (in *listTemplatesIn) Validate() error {
	if in.Limit == nil {
		return nil
	}
	_, err := page.Size(*in.Limit, true, "limit")
	return err
}

func (in *listTemplatesIn) empty(a *API, path string) Paging {
	size := page.DefaultSize
	if in.Limit != nil {
		size = *in.Limit
	}
	return Paging{Limit: size, First: a.base + path + "?account_id=" + in.AccountID}
}
