package token

import (
	"context"
	"sync/atomic"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// state reads what tokens depend on and tells when it may have changed. What
// is derived from it is kept together with stamps: as long as they hold,
// nothing has to be read again.
type state struct {
	objects *cache.Cache
	// users counts changes of memberships anywhere.
	users atomic.Uint64
	// members holds the memberships of a person, by IAM id.
	members *cache.Map[string, *memberships]
}

// memberships are a person's users in all accounts, in order of creation.
type memberships struct {
	users uint64 // value of state.users before the list was read
	list  []*account.User
}

func newState(objects *cache.Cache, capacity int) *state {
	return &state{objects: objects, members: cache.NewMap[string, *memberships](capacity)}
}

func (st *state) usersChanged() { st.users.Add(1) }

// get reads an object that is kept in memory. It is shared: read only.
func get[T any](ctx context.Context, st *state, of *store.Collection[T], account, id string) (*T, error) {
	return cache.Get(ctx, st.objects, of, account, id)
}

// lookup reads an object by a unique key, from memory too.
func lookup[T any](ctx context.Context, st *state, of *store.Collection[T], by store.Key) (*T, error) {
	return cache.Lookup(ctx, st.objects, of, by)
}

// stamp is the state of one account at a moment.
type stamp struct {
	account string
	gen     uint64
}

// stamps are the states that something was derived from.
type stamps struct {
	accounts []stamp
	// users is set for what depends on all memberships of a person.
	users      uint64
	watchUsers bool
}

// begin starts a derivation from the given accounts. It must come before the
// first read: a change in between then makes the result stale at once.
func (st *state) begin(accounts ...string) stamps {
	var s stamps
	st.watch(&s, accounts...)
	return s
}

// watch adds accounts to a derivation, before they are read.
func (st *state) watch(s *stamps, accounts ...string) {
	for _, a := range accounts {
		s.accounts = append(s.accounts, stamp{a, st.objects.Generation(a)})
	}
}

// join adds what another derivation rests on.
func (s *stamps) join(other *stamps) {
	s.accounts = append(s.accounts, other.accounts...)
	if other.watchUsers {
		s.watchUsers, s.users = true, other.users
	}
}

// holds tells whether nothing has changed since.
func (st *state) holds(s *stamps) bool {
	if s.watchUsers && s.users != st.users.Load() {
		return false
	}
	for i := range s.accounts {
		if st.objects.Generation(s.accounts[i].account) != s.accounts[i].gen {
			return false
		}
	}
	return true
}
