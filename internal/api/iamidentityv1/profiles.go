package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) profileRows() []httpapi.Operation {
	const all, one = "/v1/profiles", "/v1/profiles/{profile_id}"
	return httpapi.Table(Family,
		httpapi.Op[createProfileIn, valid.Of[identity.NewProfile], TrustedProfile]{ID: "create_profile", Method: "POST", Path: all, Status: 201,
			Action: "iam-identity.profile.create", Find: adding[createProfileIn](identity.ProfilesIn), Do: a.createProfile},
		httpapi.Op[listProfilesIn, *identity.Listing[identity.Profile], TrustedProfileList]{ID: "list_profiles", Method: "GET", Path: all,
			Status: 200,
			Action: readProfile, Find: a.findProfiles, Do: a.listProfiles},
		httpapi.Op[getProfileIn, *identity.Profile, TrustedProfile]{ID: "get_profile", Method: "GET", Path: one, Status: 200,
			Action: readProfile, Find: findProfile[getProfileIn](a), Do: a.getProfile},
		httpapi.Op[updateProfileIn, profileChange, TrustedProfile]{ID: "update_profile", Method: "PUT", Path: one, Status: 200,
			Action: updateProfile, Check: (*updateProfileIn).present, Find: httpapi.Checking(updateProfileIn.spec,
				findProfile[updateProfileIn](a)), Do: a.updateProfile},
		httpapi.Op[profileRef, *identity.Profile, httpapi.None]{ID: "delete_profile", Method: "DELETE", Path: one, Status: 204,
			Action: "iam-identity.profile.delete", Find: findProfile[profileRef](a), Do: a.deleteProfile},
	)
}

// What may be done to a profile may be done to its rules, links and trusted
// identities.
const (
	readProfile   = "iam-identity.profile.get"
	updateProfile = "iam-identity.profile.update"
)

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

// profileRef names a profile in the path.
type profileRef struct {
	ProfileID string `path:"profile_id"`
}

func (r profileRef) profile() string { return r.ProfileID }

// findProfile finds the profile of the path. Parts of it are read after the
// decision: who may not know of the profile must not learn of them.
func findProfile[In interface{ profile() string }](a *API) find[In, *identity.Profile] {
	return finding("Profile", In.profile, a.ids.Profile)
}

type createProfileIn struct {
	Body struct {
		Name        string `json:"name"`
		AccountID   string `json:"account_id"`
		Description string `json:"description"`
		Email       string `json:"email"`
	}
}

func (in createProfileIn) account() string { return in.Body.AccountID }

func (in createProfileIn) spec() identity.NewProfile {
	return identity.NewProfile{Account: in.Body.AccountID, Name: in.Body.Name, Description: in.Body.Description, Email: in.Body.Email}
}

func (a *API) createProfile(ctx context.Context, c *httpapi.Call, _ *createProfileIn,
	n valid.Of[identity.NewProfile]) (*TrustedProfile, error) {
	p, err := a.ids.CreateProfile(ctx, n)
	return httpapi.Shown(c, p, err, WireProfile)
}

type listProfilesIn struct {
	listIn
	Name string `query:"name"`
}

func (a *API) findProfiles(_ context.Context, c *httpapi.Call, in *listProfilesIn) (l *identity.Listing[identity.Profile],
	t httpapi.Target, err error) {
	q := in.query()
	q.Name = in.Name
	if l, err = a.ids.ProfileListing(q); err != nil {
		return nil, t, err
	}
	c.Seeks("Account", l.Account())
	return l, identity.ProfilesIn(l.Account()), nil
}

func (a *API) listProfiles(ctx context.Context, _ *httpapi.Call, in *listProfilesIn,
	l *identity.Listing[identity.Profile]) (*TrustedProfileList, error) {
	found, err := a.ids.ListProfiles(ctx, l)
	if err != nil {
		return nil, err
	}
	profiles, err := lists.TryMap(found.Items, func(p *identity.Profile) (out *TrustedProfile, err error) {
		out = WireProfile(p)
		out.History, err = a.history(ctx, in.IncludeHistory, identity.Profiles.Kind(), &p.Meta)
		return out, err
	})
	return &TrustedProfileList{paging(a, "/v1/profiles", found), profiles}, err
}

type getProfileIn struct {
	profileRef
	IncludeHistory  bool `query:"include_history"` // not in the SDK, but its model has the property
	IncludeActivity bool `query:"include_activity"`
}

func (a *API) getProfile(ctx context.Context, c *httpapi.Call, in *getProfileIn, p *identity.Profile) (out *TrustedProfile, err error) {
	c.SetETag(p.Tag)
	out = WireProfile(p)
	if out.History, err = a.history(ctx, in.IncludeHistory, identity.Profiles.Kind(), &p.Meta); err != nil {
		return nil, err
	}
	out.Activity, err = a.activity(ctx, c, in.IncludeActivity, &p.Meta, p.Resource())
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

func (in updateProfileIn) spec() identity.ProfileChange {
	return identity.ProfileChange{Name: in.Body.Name, Description: in.Body.Description, Email: in.Body.Email}
}

type profileChange = httpapi.Given[*identity.Profile, identity.ProfileChange]

func (a *API) updateProfile(ctx context.Context, c *httpapi.Call, in *updateProfileIn, g profileChange) (*TrustedProfile, error) {
	p, err := a.ids.UpdateProfile(ctx, g.Found, in.IfMatch, g.Spec)
	return httpapi.Shown(c, p, err, WireProfile)
}

func (a *API) deleteProfile(ctx context.Context, _ *httpapi.Call, _ *profileRef, p *identity.Profile) (*httpapi.None, error) {
	return nil, a.ids.DeleteProfile(ctx, p)
}
