package access

import (
	"context"
	"errors"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// SourceOf gives the attributes of a service that acts for itself, from its
// CRN; of what is no CRN, those of nobody.
func SourceOf(name string) policy.Source {
	c, err := crn.Parse(name)
	if err != nil {
		return policy.Source{}
	}
	return policy.Source{ServiceName: c.Service, ServiceInstance: c.Instance, Region: c.Region,
		ResourceType: c.ResourceType, Resource: c.Resource, AccountID: c.Account()}
}

// ServiceSubject is a service as the subject of a decision, by its CRN.
func ServiceSubject(name string) policy.Subject {
	source := SourceOf(name)
	return policy.Subject{Kind: policy.KindService, IAMID: id.CRNPrefix + name, Account: source.AccountID, Source: source}
}

// Standing tells whether identities are still there and active, from memory
// when nothing has changed. It is safe for concurrent use.
type Standing struct{ Cache *cache.Cache }

// Active tells whether a subject may act at all: a service ID or profile must
// exist; a user must not be inactive in the account of its token. Users whom
// the account does not know may be known to policies only.
func (s Standing) Active(ctx context.Context, sub *policy.Subject) (bool, error) {
	var err error
	switch sub.Kind {
	case policy.KindUser:
		var u *account.User
		if u, err = cache.Get(ctx, s.Cache, account.Users, sub.Account, sub.IAMID); err == nil {
			return u.State == account.Active, nil
		}
		return true, ignoreNotFound(err)
	case policy.KindServiceID:
		_, err = cache.Get(ctx, s.Cache, identity.ServiceIDs, "", strings.TrimPrefix(sub.IAMID, id.IAMPrefix))
	case policy.KindProfile:
		_, err = cache.Get(ctx, s.Cache, identity.Profiles, "", strings.TrimPrefix(sub.IAMID, id.IAMPrefix))
	}
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
