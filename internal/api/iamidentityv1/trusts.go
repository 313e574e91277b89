package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

func (a *API) trustRows() []httpapi.Operation {
	const all = "/v1/profiles/{profile_id}/identities"
	const kind, one = all + "/{identity_type}", all + "/{identity_type}/{identifier_id}"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "get_profile_identities", "GET", all, 200, act("profile.get"), at[profileRef](a), a.getTrusts),
		httpapi.OldOp(Family, "set_profile_identities", "PUT", all, 200, act("profile.update"), at[setTrustsIn](a), a.setTrusts),
		httpapi.OldOp(Family, "set_profile_identity", "POST", kind, 200, act("profile.update"), at[setTrustIn](a), a.setTrust),
		httpapi.OldOp(Family, "get_profile_identity", "GET", one, 200, act("profile.get"), at[trustRef](a), a.getTrust),
		httpapi.OldOp(Family, "delete_profile_identity", "DELETE", one, 204, act("profile.update"), at[trustRef](a), a.deleteTrust),
	}
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
	out := &ProfileIdentities{EntityTag: head.Tag, Identities: make([]*ProfileIdentity, len(trusts))}
	for i, t := range trusts {
		out.Identities[i] = wireTrust(t)
	}
	return out
}

func (a *API) getTrusts(ctx context.Context, c *httpapi.Call, in *profileRef) (*ProfileIdentities, error) {
	head, trusts, err := a.ids.Trusts(ctx, in.ProfileID)
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

func (in *setTrustsIn) specs() []identity.TrustSpec {
	specs := make([]identity.TrustSpec, len(in.Body.Identities))
	for i := range in.Body.Identities {
		specs[i] = in.Body.Identities[i].spec()
	}
	return specs
}

// Validate checks precondition and body.
func (in *setTrustsIn) Validate() error {
	if err := in.present(); err != nil {
		return err
	}
	return identity.CheckTrusts(in.specs())
}

func (a *API) setTrusts(ctx context.Context, c *httpapi.Call, in *setTrustsIn) (*ProfileIdentities, error) {
	head, trusts, err := a.ids.SetTrusts(ctx, in.ProfileID, in.IfMatch, in.specs())
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

// Validate checks the body, and that its type is the path's.
func (in *setTrustIn) Validate() error {
	spec := in.Body.spec()
	if err := spec.Validate(); err != nil {
		return err
	}
	if in.Type != in.Body.Type {
		return fault.Field("type", "Property 'type' is not the identity type of the path.")
	}
	return nil
}

func (a *API) setTrust(ctx context.Context, _ *httpapi.Call, in *setTrustIn) (*ProfileIdentity, error) {
	trust, err := a.ids.SetTrust(ctx, in.ProfileID, in.Body.spec())
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

// Validate checks the type.
func (in *trustRef) Validate() error { return identity.CheckTrustKey(in.Type, in.Identifier) }

func (a *API) getTrust(ctx context.Context, _ *httpapi.Call, in *trustRef) (*ProfileIdentity, error) {
	trust, err := a.ids.Trust(ctx, in.ProfileID, in.Type, in.Identifier)
	if err != nil {
		return nil, err
	}
	return wireTrust(trust), nil
}

func (a *API) deleteTrust(ctx context.Context, _ *httpapi.Call, in *trustRef) (*done, error) {
	return nil, a.ids.DeleteTrust(ctx, in.ProfileID, in.Type, in.Identifier)
}
