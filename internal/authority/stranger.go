package authority

import (
	"context"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// stranger tells whether the subject of a request is one of another account who
// holds nothing in the account of the resource, which is not in memory: its
// snapshot, which costs what there is in the account, need not be made for that
// answer. fault.NotFound when there is no such account.
func (a *Authority) stranger(ctx context.Context, r *policy.Request) (yes bool, err error) {
	sub, accountID := &r.Subject, r.Resource.Account
	if sub.Account == accountID || sub.Belongs == policy.Belongs || sub.Kind == policy.KindService {
		return false, nil
	}
	if v := a.held(accountID); v != nil && v.ready.Load() != nil {
		return false, nil
	}
	err = a.read(ctx, func(r store.Reader, _ store.LogReader) error {
		acct, err := account.Accounts.Get(ctx, r, accountID, accountID)
		if err != nil || acct.Owner == sub.IAMID {
			return err
		}
		holds := []string{policy.PublicAccessGroupID}
		if sub.IAMID != "" {
			member, err := access.Members.List(ctx, r, store.Query{Account: accountID, Owner: sub.IAMID, Limit: 1})
			if err != nil || len(member) > 0 {
				return err
			}
			holds = append(holds, sub.IAMID)
		}
		for _, subject := range holds {
			q := store.Query{Account: accountID, Owner: subject, Parent: string(policy.StateActive), Limit: 1}
			if given, err := access.Policies.List(ctx, r, q); err != nil || len(given) > 0 {
				return err
			}
		}
		yes = true
		return nil
	})
	return yes, err
}
