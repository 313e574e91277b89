package enterprisemanagementv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// ownerServiceID is the service ID that an account may begin with, to set it up
// by. This is the only answer that holds the key's value.
type ownerServiceID struct {
	ServiceID string `json:"iam_service_id"`
	KeyID     string `json:"iam_apikey_id"`
	Key       string `json:"iam_apikey"`
}

// ownerPolicies are the roles that together give what an owner may: on all
// services, and on account management.
var ownerPolicies = map[string][]string{
	policy.ServiceTypeService:  {"crn:v1:bluemix:public:iam::::role:Administrator", "crn:v1:bluemix:public:iam::::serviceRole:Manager"},
	policy.ServiceTypePlatform: {"crn:v1:bluemix:public:iam::::role:Administrator"},
}

// furnish makes a service ID with an API key and an owner's policies.
func (a *API) furnish(ctx context.Context, tx store.Tx, accountID string) (*ownerServiceID, error) {
	n, err := valid.Check(identity.NewServiceID{Account: accountID, Name: "Owner service ID",
		Description: "Made with the account.", Key: &identity.NewAPIKey{Name: "Owner API key", Description: "Made with the account."}})
	if err != nil {
		return nil, err
	}
	svc, key, value, err := a.ids.CreateServiceIDIn(ctx, tx, n)
	if err != nil {
		return nil, err
	}
	for services, roles := range ownerPolicies {
		doc := &policy.Policy{Version: policy.V2, Type: policy.TypeAccess, RoleIDs: roles,
			Subject:  []policy.Attribute{{Key: policy.AttrIAMID, Operator: policy.OpStringEquals, Value: policy.String(svc.Owner)}},
			Resource: []policy.Attribute{{Key: policy.AttrServiceType, Operator: policy.OpStringEquals, Value: policy.String(services)}, {Key: policy.AttrAccountID, Operator: policy.OpStringEquals, Value: policy.String(accountID)}}}
		if _, err := a.access.CreatePolicyIn(ctx, tx, doc, nil); err != nil {
			return nil, err
		}
	}
	return &ownerServiceID{svc.ID, key.ID, value.Reveal()}, nil
}
