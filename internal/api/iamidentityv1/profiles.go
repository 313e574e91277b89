package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

func (a *API) profileRows() []httpapi.Operation {
	const all, one = "/v1/profiles", "/v1/profiles/{profile_id}"
	const rules, rule = one + "/rules", one + "/rules/{rule_id}"
	const links, link = one + "/links", one + "/links/{link_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "create_profile", "POST", all, 201, act("profile.create"), at[createProfileIn](a), a.createProfile),
		httpapi.OldOp(Family, "list_profiles", "GET", all, 200, act("profile.get"), at[listProfilesIn](a), a.listProfiles),
		httpapi.OldOp(Family, "get_profile", "GET", one, 200, act("profile.get"), at[getProfileIn](a), a.getProfile),
		httpapi.OldOp(Family, "update_profile", "PUT", one, 200, act("profile.update"), at[updateProfileIn](a), a.updateProfile),
		httpapi.OldOp(Family, "delete_profile", "DELETE", one, 204, act("profile.delete"), at[profileRef](a), a.deleteProfile),

		httpapi.OldOp(Family, "create_claim_rule", "POST", rules, 201, act("profile.update"), at[createRuleIn](a), a.createRule),
		httpapi.OldOp(Family, "list_claim_rules", "GET", rules, 200, act("profile.get"), at[profileRef](a), a.listRules),
		httpapi.OldOp(Family, "get_claim_rule", "GET", rule, 200, act("profile.get"), at[ruleRef](a), a.getRule),
		httpapi.OldOp(Family, "update_claim_rule", "PUT", rule, 200, act("profile.update"), at[updateRuleIn](a), a.updateRule),
		httpapi.OldOp(Family, "delete_claim_rule", "DELETE", rule, 204, act("profile.update"), at[ruleRef](a), a.deleteRule),

		httpapi.OldOp(Family, "create_link", "POST", links, 201, act("profile.update"), at[createLinkIn](a), a.createLink),
		httpapi.OldOp(Family, "list_links", "GET", links, 200, act("profile.get"), at[profileRef](a), a.listLinks),
		httpapi.OldOp(Family, "delete_link_by_parameters", "DELETE", links, 204, act("profile.update"), at[deleteLinkToIn](a), a.deleteLinkTo),
		httpapi.OldOp(Family, "get_link", "GET", link, 200, act("profile.get"), at[linkRef](a), a.getLink),
		httpapi.OldOp(Family, "delete_link", "DELETE", link, 204, act("profile.update"), at[linkRef](a), a.deleteLink),
	}
}

// TrustedProfile is the answer that shows a profile.
type TrustedProfile struct {
	ID           string          `json:"id"`
	EntityTag    string          `json:"entity_tag"`
	CRN          string          `json:"crn"`
	Name         string          `json:"name"`
	Description  string          `json:"description,omitempty"`
	Email        string          `json:"email,omitempty"`
	CreatedAt    string          `json:"created_at"`
	ModifiedAt   string          `json:"modified_at"`
	IAMID        string          `json:"iam_id"`
	AccountID    string          `json:"account_id"`
	TemplateID   string          `json:"template_id,omitempty"`
	AssignmentID string          `json:"assignment_id,omitempty"`
	History      []HistoryRecord `json:"history,omitzero"`
	Activity     *Activity       `json:"activity,omitempty"`
}

// WireProfile gives the answer that shows a profile; the token service lists
// profiles in the same form.
func WireProfile(p *identity.Profile) *TrustedProfile {
	return &TrustedProfile{
		ID: p.ID, EntityTag: p.Tag, CRN: p.CRN(), Name: p.Name, Description: p.Description, Email: p.Email,
		CreatedAt: stamp(p.CreatedAt), ModifiedAt: stamp(p.ModifiedAt), IAMID: p.Owner, AccountID: p.Account,
		TemplateID: p.Template, AssignmentID: p.Assignment,
	}
}

// TrustedProfileList is a page of profiles.
type TrustedProfileList struct {
	Paging
	Profiles []*TrustedProfile `json:"profiles"`
}

// profileRef names a profile in the path. A profile may read itself.
type profileRef struct {
	ProfileID string `path:"profile_id"`

	profile *identity.Profile
	target  httpapi.Target
}

func (r *profileRef) find(ctx context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	c.Seeks("Profile", r.ProfileID)
	if r.profile, err = a.ids.Profile(ctx, r.ProfileID); err != nil {
		return t, err
	}
	r.target = target(r.profile.Account, typeProfile, r.profile.ID, r.profile.Owner, "")
	return r.target, nil
}

type createProfileIn struct {
	Body struct {
		Name        string `json:"name"`
		AccountID   string `json:"account_id"`
		Description string `json:"description"`
		Email       string `json:"email"`
	}
}

func (in *createProfileIn) spec() identity.NewProfile {
	return identity.NewProfile{Account: in.Body.AccountID, Name: in.Body.Name, Description: in.Body.Description, Email: in.Body.Email}
}

// Validate checks the body.
func (in *createProfileIn) Validate() error {
	n := in.spec()
	return n.Validate()
}

func (in *createProfileIn) find(_ context.Context, _ *API, c *httpapi.Call) (httpapi.Target, error) {
	c.Seeks("Account", in.Body.AccountID)
	return target(in.Body.AccountID, typeProfile, "", "", ""), nil
}

func (a *API) createProfile(ctx context.Context, c *httpapi.Call, in *createProfileIn) (*TrustedProfile, error) {
	p, err := a.ids.CreateProfile(ctx, in.spec())
	if err != nil {
		return nil, err
	}
	c.SetETag(p.Tag)
	return WireProfile(p), nil
}

type listProfilesIn struct {
	listIn
	Name string `query:"name"`

	resolved identity.ListQuery
}

func (in *listProfilesIn) find(_ context.Context, a *API, c *httpapi.Call) (t httpapi.Target, err error) {
	q := in.query()
	q.Name = in.Name
	if in.resolved, err = a.ids.ProfileQuery(q); err != nil {
		return t, err
	}
	c.Seeks("Account", in.resolved.Account)
	return target(in.resolved.Account, typeProfile, "", "", ""), nil
}

func (a *API) listProfiles(ctx context.Context, _ *httpapi.Call, in *listProfilesIn) (*TrustedProfileList, error) {
	found, err := a.ids.ListProfiles(ctx, in.resolved)
	if err != nil {
		return nil, err
	}
	out := &TrustedProfileList{Paging: paging(a, "/v1/profiles", found), Profiles: make([]*TrustedProfile, len(found.Items))}
	for i, p := range found.Items {
		out.Profiles[i] = WireProfile(p)
		if out.Profiles[i].History, err = a.history(ctx, in.IncludeHistory, identity.Profiles.Kind(), &p.Meta); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type getProfileIn struct {
	profileRef
	IncludeHistory  bool `query:"include_history"` // not in the SDK, but its model has the property
	IncludeActivity bool `query:"include_activity"`
}

func (a *API) getProfile(ctx context.Context, c *httpapi.Call, in *getProfileIn) (out *TrustedProfile, err error) {
	c.SetETag(in.profile.Tag)
	out = WireProfile(in.profile)
	if out.History, err = a.history(ctx, in.IncludeHistory, identity.Profiles.Kind(), &in.profile.Meta); err != nil {
		return nil, err
	}
	out.Activity, err = a.activity(ctx, c, in.IncludeActivity, &in.profile.Meta, in.target)
	return out, err
}

type updateProfileIn struct {
	profileRef
	ifMatch
	Body struct {
		Name        *string `json:"name"`
		Description *string `json:"description"`
		Email       *string `json:"email"`
	}
}

func (in *updateProfileIn) change() identity.ProfileChange {
	return identity.ProfileChange{Name: in.Body.Name, Description: in.Body.Description, Email: in.Body.Email}
}

// Validate checks precondition and body.
func (in *updateProfileIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	change := in.change()
	return change.Validate()
}

func (a *API) updateProfile(ctx context.Context, c *httpapi.Call, in *updateProfileIn) (*TrustedProfile, error) {
	p, err := a.ids.UpdateProfile(ctx, in.ProfileID, in.IfMatch, in.change())
	if err != nil {
		return nil, err
	}
	c.SetETag(p.Tag)
	return WireProfile(p), nil
}

func (a *API) deleteProfile(ctx context.Context, _ *httpapi.Call, in *profileRef) (*done, error) {
	return nil, a.ids.DeleteProfile(ctx, in.ProfileID)
}
