package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
	"github.com/kagiban/kagiban/internal/valid"
)

// Into is where the data goes. All fields are required.
type Into struct {
	DB        store.DB
	Authority access.Authority // its catalogue says which roles there are
	Hasher    *secret.Hasher   // of secret.PurposeAPIKey
	Now       func() time.Time
}

// Load puts the data into an empty store, in one transaction, as the server's
// own doing: each object is made by the service that owns its kind.
func (d *Data) Load(ctx context.Context, in Into) error {
	ctx = store.WithOrigin(ctx, store.Origin{IAMID: d.Owner.IAMID, Name: d.Owner.Email, Account: d.Root, Operation: "load_demo_data"})
	passwordHash := d.passwordHash()
	err := in.DB.Update(ctx, func(tx store.Tx) error {
		l := d.loader(in, tx)
		if err := l.accounts.SetLoginIn(ctx, tx, d.login(passwordHash)); err != nil {
			return err
		}
		for _, step := range []func(context.Context) error{l.tree, l.people, l.machines, l.keys, l.grants, l.templates} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing demo data: %w", err)
	}
	return nil
}

// loader is the services of one transaction, which take their ids from the data.
type loader struct {
	*Data
	labels     *labels
	accounts   *account.Service
	enterprise *enterprise.Service
	identity   *identity.Service
	access     *access.Service
	template   *template.Service
}

func (d *Data) loader(in Into, tx store.Tx) *loader {
	l := &loader{Data: d, labels: &labels{data: d}}
	db, ids := store.Joined(in.DB, tx), id.Generator{Random: l.labels}
	l.accounts = account.New(account.Config{DB: db, Now: in.Now, IDs: ids})
	l.enterprise = enterprise.New(enterprise.Config{DB: db, Accounts: l.accounts, IDs: ids})
	l.identity = identity.New(identity.Config{DB: db, Now: in.Now, IDs: ids, Hasher: in.Hasher}) // seals and lists nothing
	l.access = access.New(access.Config{DB: db, Authority: in.Authority, Now: in.Now, IDs: ids})
	l.template = template.New(template.Config{DB: db, Now: in.Now, IDs: ids, Tree: l.enterprise, Kinds: kinds.All(l.identity, l.access)})
	return l
}

// labels gives ids the randomness of labels: those that were said, in their
// order, one for each read.
type labels struct {
	data *Data
	next []string
}

// say tells under which labels the data has the ids that are drawn next.
func (l *labels) say(next ...string) { l.next = next }

// Read implements io.Reader. It fails when no label was said: an id that is
// another one at each start is a defect.
func (l *labels) Read(p []byte) (int, error) {
	if len(l.next) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	label := l.next[0]
	l.next = l.next[1:]
	return l.data.source(label).Read(p)
}

// checked gives input to what takes it checked.
func checked[T valid.Checker, R any](input T, do func(valid.Of[T]) (R, error)) (R, error) {
	ok, err := valid.Check(input)
	if err != nil {
		var none R
		return none, err
	}
	return do(ok)
}
