package store

import "context"

// Ground is something that was found before a transaction and that it relies on,
// known up to a place in an account's log. It is asked again in the transaction,
// when the log stands at head: whether what others have written since leaves it
// as it was. It reads through r only, and may read nothing when head is the place
// that it knows. Its error ends the transaction and is what Update returns.
type Ground func(ctx context.Context, r TxLog, head int64) error

// TxLog is what a Ground reads: the objects and the log in one state.
type TxLog interface {
	Reader
	LogReader
}

// Basis is what the writes under a context rest on: the decisions that were made
// for them. Each transaction that writes asks all its grounds once more when its
// own place in the log is taken, so that nothing is written on the strength of
// what was revoked before. It is for one goroutine.
type Basis struct{ grounds []grounded }

type grounded struct {
	account string
	ground  Ground
}

type basisKey struct{}

// WithBasis gives a context whose writes rest on what is added to its basis.
func WithBasis(ctx context.Context) context.Context {
	return context.WithValue(ctx, basisKey{}, new(Basis))
}

// BasisOf gives the basis of a context, nil without one: no ground is kept then.
func BasisOf(ctx context.Context) *Basis {
	b, _ := ctx.Value(basisKey{}).(*Basis)
	return b
}

// Add adds a ground that is known up to a place in the log of an account.
func (b *Basis) Add(account string, g Ground) { b.grounds = append(b.grounds, grounded{account, g}) }

// Clear forgets all grounds: everything is found and decided anew.
func (b *Basis) Clear() {
	if b != nil {
		b.grounds = nil
	}
}

// Stands asks all grounds. head tells where an account's log stood before the
// transaction's own events. On PostgreSQL the logs that the transaction writes to
// are locked by then, others are not: what is written to them at the same moment
// counts as later.
func (b *Basis) Stands(ctx context.Context, r TxLog, head func(account string) (int64, error)) error {
	if b == nil {
		return nil
	}
	for _, g := range b.grounds {
		at, err := head(g.account)
		if err != nil {
			return err
		}
		if err := g.ground(ctx, r, at); err != nil {
			return err
		}
	}
	return nil
}
