package authority

import (
	"context"
	"errors"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// Presence tells whether identities are still there and active, from memory
// when nothing has changed. It is safe for concurrent use.
type Presence struct{ cache *cache.Cache }

// NewPresence makes a Presence over a cache of objects.
func NewPresence(c *cache.Cache) Presence { return Presence{c} }

// Active tells whether a subject may act at all: a service ID or profile must
// exist; a user must not be inactive in the account of its token. Users whom
// the account does not know may be known to policies only.
func (p Presence) Active(ctx context.Context, sub *policy.Subject) (bool, error) {
	var err error
	switch sub.Kind {
	case policy.KindUser:
		var u *account.User
		if u, err = cache.Get(ctx, p.cache, account.Users, sub.Account, sub.IAMID); err == nil {
			return u.State == account.Active, nil
		}
		return true, fault.Ignore(fault.NotFound, err)
	case policy.KindServiceID:
		_, err = cache.Get(ctx, p.cache, identity.ServiceIDs, "", strings.TrimPrefix(sub.IAMID, id.IAMPrefix))
	case policy.KindAnonymous, policy.KindService: // not ours to keep
	case policy.KindProfile:
		_, err = cache.Get(ctx, p.cache, identity.Profiles, "", strings.TrimPrefix(sub.IAMID, id.IAMPrefix))
	}
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}
