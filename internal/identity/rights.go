package identity

import (
	"context"
	"errors"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// Resource types of this service, as policies and context-based restrictions
// name them.
const (
	typeAPIKey      = "apikey"    // keys of users
	typeServiceID   = "serviceid" // service IDs and their keys
	typeGroup       = "serviceid-group"
	typeProfile     = "profile"
	typePreferences = "preferences"
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

// GroupsIn is the resource that all service ID groups of an account are.
func GroupsIn(accountID string) policy.Resource { return resource(accountID, typeGroup, "") }

// Resource is what decisions about a group are made on.
func (g *ServiceIDGroup) Resource() policy.Resource { return resource(g.Account, typeGroup, g.ID) }

// ProfilesIn is the resource that all profiles of an account are.
func ProfilesIn(accountID string) policy.Resource { return resource(accountID, typeProfile, "") }

// Resource is what decisions about a profile and its parts are made on: a
// profile may read itself.
func (p *Profile) Resource() policy.Resource {
	r := resource(p.Account, typeProfile, p.ID)
	r.Owner = p.Owner
	return r
}

// Resource is what decisions about a key are made on: a user's key belongs to
// the user, a service ID's goes with the service ID.
func (k *FoundKey) Resource() policy.Resource {
	if k.IsUser() {
		r := resource(k.Account, typeAPIKey, k.ID)
		r.Owner = k.Owner
		return r
	}
	if k.ServiceID != nil {
		return k.ServiceID.Resource()
	}
	object, _ := id.OfIAM(k.Owner)
	return resource(k.Account, typeServiceID, object)
}

// basis is what a permission rests on: in the transaction that uses it, it
// fails with store.ErrMoved when that has changed.
type basis func(context.Context, store.Tx) error

// solid is the basis of a permission that was asked for like any other.
func solid(context.Context, store.Tx) error { return nil }

// memberMay asks for an action that members of an account may do without a policy
// unless its settings restrict it: the permission rests on these settings.
func (s *Service) memberMay(ctx context.Context, who asker.Asker, action string, on policy.Resource) (basis, error) {
	if who == asker.System {
		return solid, nil
	}
	settings, err := findIn(ctx, s.db.Direct(), account.SettingsByAcct, whatAccount, on.Account, on.Account)
	if err != nil {
		return nil, err
	}
	if err := asker.Need(ctx, who, action, on, fault.NoObject(whatAccount, on.Account)); err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx store.Tx) error { return account.SettingsByAcct.Hold(ctx, tx, settings) }, nil
}

// errOtherIdentity is the answer of the official service to a user who asks
// for the keys of another one.
var errOtherIdentity = &fault.Error{Kind: fault.Invalid, Code: "invalid_parameter", Field: "iam_id",
	Message: "The specified IAM ID does not match the IAM ID in the token."}

// mayAddKey tells whether somebody may make a key for an identity, completes
// the key's account, and gives the service ID that it is for.
func (s *Service) mayAddKey(ctx context.Context, who asker.Asker, n *NewAPIKey) (*ServiceID, basis, error) {
	object, service := ServiceIDOf(n.IAMID)
	if !service {
		b, err := s.mayAddUserKey(ctx, who, n)
		return nil, b, err
	}
	owner, err := s.ServiceID(ctx, object)
	if err != nil {
		return nil, nil, err
	}
	if err := asker.Need(ctx, who, actionAddKey, owner.Resource(), fault.NoObject(whatServiceID, object)); err != nil {
		return nil, nil, err
	}
	if n.Account != "" && n.Account != owner.Account {
		return nil, nil, fault.Field("account_id", "Property 'account_id' is not the account of the service ID.")
	}
	n.Account = owner.Account
	return owner, func(ctx context.Context, tx store.Tx) error { return ServiceIDs.Hold(ctx, tx, owner) }, nil
}

// mayAddUserKey: a user makes keys for itself, in an account that it is in. Who
// has a token of the account is; of others the account must know.
func (s *Service) mayAddUserKey(ctx context.Context, who asker.Asker, n *NewAPIKey) (basis, error) {
	if who == asker.System {
		return solid, CheckAccount("account_id", n.Account)
	}
	me := who.Subject()
	if n.IAMID != me.IAMID {
		return nil, errOtherIdentity
	}
	if n.Account == "" {
		n.Account = me.Account
	}
	// No owner here: the setting binds everybody but the holders of a role.
	rests, err := s.memberMay(ctx, who, "iam-identity.user-apikey.create", resource(n.Account, typeAPIKey, ""))
	if err != nil || n.Account == me.Account {
		return rests, err
	}
	user, err := findIn(ctx, s.db.Direct(), account.Users, whatAccount, n.Account, me.IAMID)
	if errors.Is(err, fault.NotFound) || err == nil && user.State != account.Active {
		return nil, fault.NoObject(whatAccount, n.Account)
	}
	return func(ctx context.Context, tx store.Tx) error {
		return errors.Join(rests(ctx, tx), account.Users.Hold(ctx, tx, user))
	}, err
}

// mayListKeys tells whether somebody may see the keys of a query, and completes
// its identity: who asks, unless the whole account is meant.
func (s *Service) mayListKeys(ctx context.Context, who asker.Asker, q *ListQuery) error {
	me := who.Subject()
	if q.Scope == ScopeAccount && q.IAMID == "" {
		all := resource(q.Account, typeAPIKey, "")
		// The list holds no values, so the reviewers of metadata may see it too.
		if review, err := who.May(ctx, "iam-identity.apikey.review", all); err != nil || review {
			return err
		}
		return asker.Need(ctx, who, "iam-identity.apikey.manage", all, fault.NoObject(whatAccount, q.Account))
	}
	if q.IAMID == "" {
		q.IAMID = me.IAMID
	}
	object, service := ServiceIDOf(q.IAMID)
	switch {
	case q.IAMID == me.IAMID || service && id.IAMOf(object) == me.IAMID:
		if q.Account == me.Account && q.Account != "" {
			return nil
		}
		own := resource(q.Account, typeAPIKey, "")
		own.Owner = me.IAMID
		return asker.Need(ctx, who, "iam-identity.apikey.list", own, fault.NoObject(whatAccount, q.Account))
	case !service:
		return errOtherIdentity
	}
	owner, err := s.ServiceID(ctx, object)
	if err != nil {
		return err
	}
	if owner.Account != q.Account {
		return fault.NoObject(whatServiceID, object)
	}
	return asker.Need(ctx, who, "iam-identity.apikey.list", owner.Resource(), fault.NoObject(whatServiceID, object))
}
