// Package asker is how the domain knows who asks: the subject, and what it may
// do. Rules about giving and owning stand in domain packages, inside the
// transaction that they guard, and ask through it; the call of the wire
// implements it, System stands for the server itself. It decides nothing.
package asker

import (
	"context"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
)

// Asker is who asks for something to be done. It belongs to one request.
type Asker interface {
	// Subject is the identity that decisions are made about.
	Subject() policy.Subject
	// May asks the one decision. It may read the store, so it must not be called
	// inside a transaction; errors are the store's.
	May(ctx context.Context, action string, on policy.Resource) (bool, error)
	// Extent tells on how much of what a resource stands for May would say yes, from
	// what the asker holds alone. It may read the store, as May.
	Extent(ctx context.Context, action string, on policy.Resource) (policy.Extent, error)
	// Admitted tells whether the asker meets what an account demands of whoever
	// acts in it, whatever it may do there. It may read the store, as May.
	Admitted(ctx context.Context, account string) (bool, error)
	// Rights gives what the asker holds in an account at this moment. It may read
	// the store, as May; what it gives reads nothing and answers inside
	// transactions. In an account that is not there nothing is held.
	Rights(ctx context.Context, account string) (Rights, error)
}

// Rights is what an asker holds in one account at one moment. It is immutable.
type Rights interface {
	// Lacks gives the first of the actions that the asker does not hold on a
	// resource of the account, "" when it holds them all.
	Lacks(on policy.Resource, actions []string) string
	// CannotGive gives the first of the actions that the asker may not give to
	// others on a resource of the account, "" when it may give them all. An owner
	// may give all that there is.
	CannotGive(on policy.Resource, actions []string) string
}

// Need gives nil to an asker who may do the action, else fault.NotFound or
// fault.Forbidden as Refusal has it. It must not be called inside a transaction.
func Need(ctx context.Context, who Asker, action string, on policy.Resource, absent *fault.Error) error {
	yes, err := who.May(ctx, action, on)
	if err != nil || yes {
		return err
	}
	sub := who.Subject()
	return Refusal(&sub, action, on, absent)
}

// Refusal words a no. An object of another account must be indistinguishable
// from none: only inside the subject's own account does a refusal say that it is
// there. absent is the answer for an object that is not there; nil is a general one.
func Refusal(sub *policy.Subject, action string, on policy.Resource, absent *fault.Error) error {
	if sub.Kind == policy.KindAnonymous || on.Account != sub.Account {
		if absent != nil {
			return absent
		}
		return &fault.Error{Kind: fault.NotFound, Code: "not_found", Number: "BXNIM0102E", Message: "Unable to find object",
			Details: "No object that the caller may know of was found."}
	}
	return &fault.Error{Kind: fault.Forbidden, Code: "not_authorized", Number: "BXNIM0501E",
		Message: "You are not authorized to perform this operation.",
		Details: "Action " + action + " is not granted."}
}

// System is the server itself: it lays templates, loads demo data, founds
// accounts. Somebody has asked whoever set it to work. It may do everything.
var System Asker = system{}

type system struct{}

func (system) Subject() policy.Subject { return policy.Subject{} }

func (system) May(context.Context, string, policy.Resource) (bool, error) { return true, nil }

func (system) Extent(context.Context, string, policy.Resource) (policy.Extent, error) {
	return policy.Everywhere, nil
}

func (system) Admitted(context.Context, string) (bool, error) { return true, nil }

func (system) Rights(context.Context, string) (Rights, error) { return everything{}, nil }

type everything struct{}

func (everything) Lacks(policy.Resource, []string) string { return "" }

func (everything) CannotGive(policy.Resource, []string) string { return "" }
