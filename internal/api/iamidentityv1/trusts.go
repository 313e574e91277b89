package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
)

// What is said of a profile that was found.
type (
	trustSpecs = httpapi.Given[*identity.Profile, identity.TrustSpecs]
	trustSpec  = httpapi.Given[*identity.Profile, identity.TrustSpec]
)

func (a *API) trustRows() []httpapi.Operation {
	const all = "/v1/profiles/{profile_id}/identities"
	const kind, one = all + "/{identity_type}", all + "/{identity_type}/{identifier_id}"
	return httpapi.Table(Family,
		httpapi.Op[profileRef, *identity.Profile, ProfileIdentities]{ID: "get_profile_identities", Method: "GET", Path: all, Status: 200,
			Action: readProfile, Find: findProfile[profileRef](a), Do: a.getTrusts},
		httpapi.Op[setTrustsIn, trustSpecs, ProfileIdentities]{ID: "set_profile_identities",
			Method: "PUT", Path: all, Status: 200,
			Action: updateProfile, Check: (*setTrustsIn).present, Find: httpapi.Checking(setTrustsIn.spec, findProfile[setTrustsIn](a)),
			Do: a.setTrusts},
		httpapi.Op[setTrustIn, trustSpec, ProfileIdentity]{ID: "set_profile_identity", Method: "POST",
			Path: kind, Status: 200,
			Action: updateProfile, Check: (*setTrustIn).check, Find: httpapi.Checking(setTrustIn.spec, findProfile[setTrustIn](a)), Do: a.setTrust},
		httpapi.Op[trustRef, givenTrust, ProfileIdentity]{ID: "get_profile_identity", Method: "GET", Path: one, Status: 200,
			Action: readProfile, Find: httpapi.Checking(trustRef.spec, findProfile[trustRef](a)), Do: a.getTrust},
		httpapi.Op[trustRef, givenTrust, httpapi.None]{ID: "delete_profile_identity", Method: "DELETE", Path: one, Status: 204,
			Action: updateProfile, Find: httpapi.Checking(trustRef.spec, findProfile[trustRef](a)), Do: a.deleteTrust},
	)
}

// ProfileIdentity is the answer that shows an identity which a profile trusts.
// An absent description stays absent: Terraform tells it from an empty one.
type ProfileIdentity struct {
	IAMID       string   `json:"iam_id"`
	Identifier  string   `json:"identifier"`
	Type        string   `json:"type"`
	Accounts    []string `json:"accounts,omitempty"`
	Description string   `json:"description,omitempty"`
}

func wireTrust(t *identity.Trust) *ProfileIdentity {
	return &ProfileIdentity{IAMID: t.Owner, Identifier: t.Identifier, Type: t.Type, Accounts: t.Accounts, Description: t.Detail}
}

// ProfileIdentities holds the identities that a profile trusts.
type ProfileIdentities struct {
	EntityTag  string             `json:"entity_tag"`
	Identities []*ProfileIdentity `json:"identities"`
}

func wireTrusts(c *httpapi.Call, head *identity.TrustList, trusts []*identity.Trust) *ProfileIdentities {
	c.SetETag(head.Tag)
	return &ProfileIdentities{EntityTag: head.Tag, Identities: lists.Map(trusts, wireTrust)}
}

func (a *API) getTrusts(ctx context.Context, c *httpapi.Call, _ *profileRef, p *identity.Profile) (*ProfileIdentities, error) {
	head, trusts, err := a.ids.Trusts(ctx, p)
	if err != nil {
		return nil, err
	}
	return wireTrusts(c, head, trusts), nil
}

// trustBody is what a client says of a trusted identity.
type trustBody struct {
	Identifier  string   `json:"identifier"`
	Type        string   `json:"type"`
	Accounts    []string `json:"accounts"`
	Description string   `json:"description"`
}

func (b *trustBody) spec() identity.TrustSpec {
	return identity.TrustSpec{Type: b.Type, Identifier: b.Identifier, Accounts: b.Accounts, Description: b.Description}
}

type setTrustsIn struct {
	profileRef
	ifMatch
	Body struct {
		// Identities is left out by the SDK when its list is nil.
		Identities []trustBody `json:"identities"`
	}
}

func (in setTrustsIn) spec() identity.TrustSpecs {
	specs := make(identity.TrustSpecs, len(in.Body.Identities))
	for i := range in.Body.Identities {
		specs[i] = in.Body.Identities[i].spec()
	}
	return specs
}

func (a *API) setTrusts(ctx context.Context, c *httpapi.Call, in *setTrustsIn, g trustSpecs) (*ProfileIdentities, error) {
	head, trusts, err := a.ids.SetTrusts(ctx, g.Found, in.IfMatch, g.Spec)
	if err != nil {
		return nil, err
	}
	return wireTrusts(c, head, trusts), nil
}

type setTrustIn struct {
	profileRef
	Type string `path:"identity_type"`
	Body trustBody
}

// check demands that the body's type, if it has one, is the path's.
func (in *setTrustIn) check() error {
	if in.Body.Type != "" && in.Type != in.Body.Type {
		return fault.Field("type", "Property 'type' is not the identity type of the path.")
	}
	return nil
}

func (in setTrustIn) spec() identity.TrustSpec { return in.Body.spec() }

func (a *API) setTrust(ctx context.Context, _ *httpapi.Call, _ *setTrustIn, g trustSpec) (*ProfileIdentity, error) {
	trust, err := a.ids.SetTrust(ctx, g.Found, g.Spec)
	if err != nil {
		return nil, err
	}
	return wireTrust(trust), nil
}

// trustRef names a trusted identity in the path; the decision is on its profile.
type trustRef struct {
	profileRef
	Type       string `path:"identity_type"`
	Identifier string `path:"identifier_id"`
}

func (in trustRef) spec() identity.TrustKey {
	return identity.TrustKey{Type: in.Type, Identifier: in.Identifier}
}

type givenTrust = httpapi.Given[*identity.Profile, identity.TrustKey]

func (a *API) getTrust(ctx context.Context, _ *httpapi.Call, _ *trustRef, g givenTrust) (*ProfileIdentity, error) {
	trust, err := a.ids.Trust(ctx, g.Found, g.Spec)
	if err != nil {
		return nil, err
	}
	return wireTrust(trust), nil
}

func (a *API) deleteTrust(ctx context.Context, _ *httpapi.Call, _ *trustRef, g givenTrust) (*httpapi.None, error) {
	return nil, a.ids.DeleteTrust(ctx, g.Found, g.Spec)
}
