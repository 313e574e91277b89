package identity

import (
	"context"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// Resource types of this service, as policies and context-based restrictions
// name them.
const (
	typeServiceID = "serviceid" // service IDs and their keys
)

func resource(accountID, resourceType, objectID string) policy.Resource {
	return policy.Resource{Account: accountID, ServiceName: "iam-identity", ResourceType: resourceType, Resource: objectID}
}

// ServiceIDsIn is the resource that all service IDs of an account are.
func ServiceIDsIn(accountID string) policy.Resource { return resource(accountID, typeServiceID, "") }

// Resource is what decisions about a service ID are made on: its creator
// administers it.
func (v *ServiceID) Resource() policy.Resource {
	r := resource(v.Account, typeServiceID, v.ID)
	r.Creator = v.CreatedBy
	return r
}

// freedom is an account's setting by which its members may do something without
// a permission; nil where somebody holds the permission.
type freedom struct{ *account.Settings }

// memberMay gives the freedom by which a member of an account may do something
// there, or asks for the action that everybody else needs, and members too when
// the account's settings restrict it. What is then written must hold the freedom.
func (s *Service) memberMay(ctx context.Context, who asker.Asker, action string, on policy.Resource, restricts func(*account.Settings) bool) (freedom, error) {
	if who.Subject().Account == on.Account {
		settings, err := view(ctx, s, account.SettingsByAcct, whatAccount, on.Account)
		if err != nil || !restricts(settings) {
			return freedom{settings}, err
		}
	}
	return freedom{}, asker.Need(ctx, who, action, on, fault.NoObject(whatAccount, on.Account))
}

// hold fails with store.ErrMoved when the account's settings have changed since.
func (f freedom) hold(ctx context.Context, tx store.Tx) error {
	if f.Settings == nil {
		return nil
	}
	return account.SettingsByAcct.Hold(ctx, tx, f.Settings)
}
