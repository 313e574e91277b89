package token

import (
	"sync"
	"sync/atomic"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/store"
)

// state reads what tokens depend on and tells when it may have changed. What
// is derived from it is kept together with stamps: as long as they hold,
// nothing has to be read again.
type state struct {
	db store.DB
	// users counts changes of memberships anywhere.
	users atomic.Uint64
	// epoch counts the moments at which everything had to be forgotten.
	epoch atomic.Uint64
	// members holds the memberships of a person, by IAM id.
	members *bounded[string, *memberships]

	mu   sync.RWMutex // guards gens
	gens map[string]uint64
}

type memberships struct {
	users uint64 // value of state.users at which the list was read
	epoch uint64
	list  []*account.User
}

func newState(db store.DB, capacity int) *state {
	return &state{db: db, members: newBounded[string, *memberships](capacity), gens: map[string]uint64{}}
}

func (st *state) usersChanged() { st.users.Add(1) }

func (st *state) forget() {
	st.epoch.Add(1)
	st.members.clear()
}

// stamp is the state of one account at a moment.
type stamp struct {
	account string
	gen     uint64
}

// stamps are the states that something was derived from.
type stamps struct {
	accounts []stamp
	epoch    uint64
	// users is set for what depends on all memberships of a person.
	users      uint64
	watchUsers bool
}

// begin starts a derivation from the given accounts. It must come before the
// first read: a change in between then makes the result stale at once.
func (st *state) begin(accounts ...string) stamps {
	s := stamps{epoch: st.epoch.Load()}
	st.watch(&s, accounts...)
	return s
}

// watch adds accounts to a derivation, before they are read.
func (st *state) watch(s *stamps, accounts ...string) {
	for _, a := range accounts {
		s.accounts = append(s.accounts, stamp{a, st.generation(a)})
	}
}

// holds tells whether nothing has changed since.
func (st *state) holds(s *stamps) bool {
	if s.epoch != st.epoch.Load() || s.watchUsers && s.users != st.users.Load() {
		return false
	}
	for i := range s.accounts {
		if st.generation(s.accounts[i].account) != s.accounts[i].gen {
			return false
		}
	}
	return true
}
