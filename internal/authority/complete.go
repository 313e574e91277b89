package authority

import (
	"context"
	"fmt"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// Complete adds to a request what a decision asks for and neither a token nor
// the name of a resource says: of a service that acts for itself the place of its
// account, by which authorization policies may name it; of a person whether the
// account of the resource has it as a user, and which addresses it is allowed
// there; of an identity, key or profile whose it is. What the decision does not
// ask for is not read.
func (a *Authority) Complete(ctx context.Context, r *policy.Request) error {
	sub := &r.Subject
	addressed := r.Environment.Addressed()
	ours := a.Catalog().MembersMay(r.Resource.ServiceName)
	if ours {
		if err := a.completeResource(ctx, &r.Resource); err != nil {
			return err
		}
	}
	switch sub.Kind {
	case policy.KindService:
		return a.locate(ctx, sub)
	case policy.KindUser:
		if addressed || ours && sub.Belongs == policy.BelongsByToken {
			return a.recognise(ctx, r, sub.IAMID)
		}
	case policy.KindProfile: // who assumed it may have addresses
		if addressed && policy.KindOf(sub.Login.IAMID) == policy.KindUser {
			return a.recognise(ctx, r, sub.Login.IAMID)
		}
	case policy.KindAnonymous, policy.KindServiceID:
	}
	return nil
}

// locate completes a service that acts for itself with the enterprise and the
// account groups of its account, by which authorization policies may name it.
func (a *Authority) locate(ctx context.Context, sub *policy.Subject) error {
	if a.place == nil || sub.Source.AccountID == "" {
		return nil
	}
	enterprise, groups, err := a.place(ctx, sub.Source.AccountID)
	if err != nil {
		return fmt.Errorf("locating account %s: %w", sub.Source.AccountID, err)
	}
	if enterprise != "" {
		sub.Source.EnterpriseID, sub.Source.AccountGroupIDs = enterprise, groups
	}
	return nil
}

// recognise completes the subject with what the account knows of the person.
func (a *Authority) recognise(ctx context.Context, r *policy.Request, iamID string) error {
	if a.objects == nil {
		return nil
	}
	sub := &r.Subject
	u, err := cache.Get(ctx, a.objects, account.Users, r.Resource.Account, iamID)
	if fault.Ignore(fault.NotFound, err) != nil {
		return fmt.Errorf("looking for the user of a decision: %w", err)
	}
	if sub.Kind == policy.KindUser {
		sub.Belongs = policy.BelongsNot
		if err == nil && u.State == account.Active {
			sub.Belongs = policy.Belongs
		}
	}
	own := sub.Account == r.Resource.Account
	if err == nil && u.AllowedIPs != "" && !(own && a.issuedOnly) {
		if list := account.ParseAddresses(u.AllowedIPs); list.Restricts() {
			sub.Addresses = list
		}
	}
	return nil
}

// completeResource tells whose an identity, key or profile is that a question
// names without saying so: the server's own operations decide on it with that.
func (a *Authority) completeResource(ctx context.Context, r *policy.Resource) error {
	if a.objects == nil || r.Resource == "" || r.Owner != "" || r.Creator != "" {
		return nil
	}
	var known policy.Resource
	var err error
	switch r.ResourceType {
	case "serviceid":
		known, err = resourceOf(ctx, a.objects, identity.ServiceIDs, r)
	case "profile":
		known, err = resourceOf(ctx, a.objects, identity.Profiles, r)
	case "apikey":
		known, err = a.keyResource(ctx, r)
	}
	if err != nil {
		return fault.Ignore(fault.NotFound, err)
	}
	if known.Resource != "" { // a key of a service ID goes with the service ID
		r.ResourceType, r.Resource, r.Owner, r.Creator = known.ResourceType, known.Resource, known.Owner, known.Creator
	}
	return nil
}

// resourceOf gives an object that a resource names as the server decides on it.
func resourceOf[T any, P interface {
	*T
	Resource() policy.Resource
}](ctx context.Context, objects *cache.Cache, c *store.Collection[T], r *policy.Resource) (policy.Resource, error) {
	v, err := cache.Get(ctx, objects, c, r.Account, r.Resource)
	if err != nil {
		return policy.Resource{}, err
	}
	return P(v).Resource(), nil
}

func (a *Authority) keyResource(ctx context.Context, r *policy.Resource) (policy.Resource, error) {
	k, err := cache.Get(ctx, a.objects, identity.APIKeys, r.Account, r.Resource)
	if err != nil {
		return policy.Resource{}, err
	}
	if object, service := identity.ServiceIDOf(k.Owner); service {
		return resourceOf(ctx, a.objects, identity.ServiceIDs, &policy.Resource{Account: r.Account, Resource: object})
	}
	return (&identity.FoundKey{APIKey: k}).Resource(), nil
}

// Admits tells whether a subject meets what an account demands of whoever acts
// in it, whatever access it has there. An account that is not there demands nothing.
func (a *Authority) Admits(ctx context.Context, r policy.Request) (bool, error) {
	if err := a.Complete(ctx, &r); err != nil {
		return false, err
	}
	s, err := a.Snapshot(ctx, r.Resource.Account)
	if err = fault.Ignore(fault.NotFound, err); err != nil {
		return false, err
	}
	return s == nil || policy.Admits(s, &r), nil
}
