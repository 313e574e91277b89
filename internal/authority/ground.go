package authority

import (
	"context"
	"slices"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// A decision is made before the transaction that relies on it. Whoever is let in
// may lose what let them in before the transaction takes its place in the log: so
// each answer is a ground of the request's writes, and is asked once more there,
// of the snapshot that follows by what others have written meanwhile. Mostly that
// is nothing, and costs a comparison.

// found adds an answer from a snapshot to what the writes of a request rest on.
// still gives it from a later one.
func (a *Authority) found(ctx context.Context, b *built, r *policy.Request, still func(*policy.Snapshot) bool) {
	basis := store.BasisOf(ctx)
	if basis == nil {
		return
	}
	accountID, sub := b.snapshot.Account(), r.Subject
	basis.Add(accountID, func(ctx context.Context, log store.TxLog, head int64) error {
		owed, all := a.owedSince(b)
		if !all {
			return store.ErrMoved // somebody else has them in a snapshot by now
		}
		if head <= b.covered && len(owed) == 0 {
			return nil
		}
		events, err := log.Events(ctx, accountID, b.covered, maxEvents+1)
		if err != nil {
			return err
		}
		events = slices.DeleteFunc(events, func(e store.Event) bool { return e.Seq > head }) // the transaction's own
		if len(events) > maxEvents {
			return store.ErrMoved
		}
		if slices.ContainsFunc(events, func(e store.Event) bool { return ends(&e, &sub) }) {
			return &fault.Error{Kind: fault.Unauthenticated, Code: "invalid_access_token",
				Message: "The identity of the token is not active any more."}
		}
		changes, err := a.changesOf(ctx, log, accountID, slices.Concat(events, owed))
		if err != nil || len(changes) == 0 {
			return err
		}
		if !still(b.snapshot.With(changes...)) {
			return asker.Refusal(&sub, r.Action, r.Resource, nil)
		}
		return nil
	})
}

// owedSince gives the events of other logs about an account that came after
// those of a snapshot; false when they are not at hand any more, because they are
// in a later snapshot or the account had to make room.
func (a *Authority) owedSince(b *built) (owed []store.Event, all bool) {
	v := b.of
	if a.held(v.account) != v {
		return nil, false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	more := int(v.foreign.Load() - b.foreign)
	if more > len(v.owed) {
		return nil, false
	}
	return slices.Clone(v.owed[len(v.owed)-more:]), true
}

// ends tells whether an event takes a subject out of its account.
func ends(e *store.Event, sub *policy.Subject) bool {
	w := e.Written()
	if w.Account != sub.Account {
		return false
	}
	switch w.Kind {
	case identity.ServiceIDs.Kind(), identity.Profiles.Kind():
		return e.Op == store.Delete && id.IAMOf(w.ID) == sub.IAMID
	case account.Users.Kind():
		return w.ID == sub.IAMID && e.Op == store.Delete
	}
	return false
}

// rights are those of a request's subject, in a snapshot. It remembers what it was
// asked and did not lack. It is for one goroutine.
type rights struct {
	snapshot *policy.Snapshot
	request  policy.Request
	asked    []held
}

type held struct {
	on      policy.Resource
	actions []string
	by      test
}

// test lists, sorted, the actions that an answer is about.
type test func(*policy.Snapshot, *policy.Request) []string

// Lacks implements asker.Rights.
func (r *rights) Lacks(on policy.Resource, actions []string) string {
	return r.ask(held{on, actions, func(s *policy.Snapshot, r *policy.Request) []string { return policy.ActionsOn(s, r).Actions }})
}

// CannotGive implements asker.Rights.
func (r *rights) CannotGive(on policy.Resource, actions []string) string {
	return r.ask(held{on, actions, policy.GivableOn})
}

func (r *rights) ask(h held) string {
	missing := r.missingIn(r.snapshot, h)
	if missing == "" {
		r.asked = append(r.asked, h)
	}
	return missing
}

func (r *rights) missingIn(s *policy.Snapshot, h held) string {
	request := r.request
	request.Resource = h.on
	has := h.by(s, &request)
	for _, action := range h.actions {
		if _, ok := slices.BinarySearch(has, action); !ok {
			return action
		}
	}
	return ""
}

// still tells whether a later snapshot gives all that was not lacked.
func (r *rights) still(s *policy.Snapshot) bool {
	return !slices.ContainsFunc(r.asked, func(h held) bool { return r.missingIn(s, h) != "" })
}
