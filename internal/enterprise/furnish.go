package enterprise

import (
	"context"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Identities makes service IDs inside a transaction: identity.Service does.
type Identities interface {
	CreateServiceIDIn(context.Context, store.Tx, valid.Of[identity.NewServiceID]) (*identity.ServiceID, *identity.APIKey, secret.Value, error)
}

// Policies makes policies inside a transaction: access.Service does.
type Policies interface {
	CreatePolicyIn(context.Context, store.Tx, *policy.Policy, *access.TemplateMark) (*access.Policy, error)
}

// OwnerServiceID is the service ID that an account may begin with, to set it up
// by. The key's value is shown once.
type OwnerServiceID struct {
	ID, KeyID string
	Key       secret.Value
}

// ownerPolicies are the roles that together give what an owner may: on all
// services, and on account management.
var ownerPolicies = map[string][]string{
	policy.ServiceTypeService:  {policy.RoleAdministrator, policy.RoleManager},
	policy.ServiceTypePlatform: {policy.RoleAdministrator},
}

// furnish makes a service ID with an API key and an owner's policies in a new
// account. Whoever may make the account may give them: nobody has anything there
// yet.
func (s *Service) furnish(ctx context.Context, tx store.Tx, accountID string) (*OwnerServiceID, error) {
	n, err := valid.Check(identity.NewServiceID{Account: accountID, Name: "Owner service ID",
		Description: "Made with the account.", Key: &identity.NewAPIKey{Traits: identity.KeyTraits{Name: new("Owner API key"),
			Description: new("Made with the account.")}}})
	if err != nil {
		return nil, err
	}
	svc, key, value, err := s.identities.CreateServiceIDIn(ctx, tx, n)
	if err != nil {
		return nil, err
	}
	is := func(key, value string) policy.Attribute {
		return policy.Attribute{Key: key, Operator: policy.OpStringEquals, Value: policy.String(value)}
	}
	for services, roles := range ownerPolicies {
		doc := &policy.Policy{Version: policy.V2, Type: policy.TypeAccess, RoleIDs: roles,
			Subject:  []policy.Attribute{is(policy.AttrIAMID, svc.Owner)},
			Resource: []policy.Attribute{is(policy.AttrServiceType, services), is(policy.AttrAccountID, accountID)}}
		if _, err := s.policies.CreatePolicyIn(ctx, tx, doc, nil); err != nil {
			return nil, err
		}
	}
	return &OwnerServiceID{svc.ID, key.ID, value}, nil
}
