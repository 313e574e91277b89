// Package scale shows what templates cost in large enterprises, and that an
// assignment survives the end of the process at any point.
package scale

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// The one enterprise of this package's worlds.
const (
	root  = "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
	group = "dddddddddddddddddddddddddddddddd"
	owner = "IBMid-OWNER00000"
)

// world is the services on a store.
type world struct {
	db        store.DB
	registry  *catalog.Registry
	authority *authority.Authority
	templates *template.Service
	runner    *job.Runner // of the jobs of templates
}

// open puts the services on a SQLite file.
func open(ctx context.Context, path string) (*world, error) {
	db, err := sqlitestore.Open(ctx, sqlitestore.Options{Path: path})
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	return found(ctx, db, "node")
}

// found puts the services on a migrated store. A node that comes back under its
// name has its jobs back.
func found(ctx context.Context, db store.DB, node string) (*world, error) {
	set, err := catalog.BuiltinSet()
	if err != nil {
		return nil, err
	}
	w := &world{db: db}
	if w.registry, err = catalog.NewRegistry(ctx, db, set, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	w.authority = authority.New(authority.Config{DB: db, Catalogs: w.registry})
	acc := access.New(access.Config{DB: db, Authority: w.authority, Now: time.Now})
	tree := enterprise.New(enterprise.Config{DB: db, Accounts: account.New(account.Config{DB: db, Now: time.Now}),
		Limits: enterprise.Limits{Accounts: 1 << 20}, Moved: template.Moved})
	ids := identity.New(identity.Config{DB: db, Now: time.Now})
	w.templates = template.New(template.Config{DB: db, Tree: tree, Kinds: kinds.All(ids, acc)})
	w.runner = job.New(job.Config{DB: db, Node: node, Lease: lease}, w.templates.Jobs()...)
	return w, nil
}

// lease is how long a killed node keeps others waiting.
const lease = 2 * time.Second

func (w *world) close() error {
	w.authority.Close()
	w.registry.Close()
	return w.db.Close()
}

func accountID(i int) string { return fmt.Sprintf("%032x", i+1) }

// populate writes an enterprise with one group of n accounts, whose places are
// known to the reconciler already.
func (w *world) populate(ctx context.Context, n int) error {
	err := w.db.Update(ctx, func(tx store.Tx) error {
		entID := root[:31] + "0"
		if err := enterprise.Enterprises.Create(ctx, tx, &enterprise.Enterprise{Meta: store.Meta{Account: root, ID: entID, Name: "Large",
			Owner: owner}, State: account.Active}, store.Event{}); err != nil {
			return err
		}
		return enterprise.Groups.Create(ctx, tx, &enterprise.Group{Meta: store.Meta{Account: root, ID: group, Parent: entID, Name: "All"},
			Enterprise: entID, State: account.Active}, store.Event{})
	})
	for from := 0; err == nil && from < n; from += 500 {
		err = w.db.Update(ctx, func(tx store.Tx) error {
			for i := from; i < min(from+500, n); i++ {
				if err := member(ctx, tx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	return w.runner.Pass(ctx)
}

func member(ctx context.Context, tx store.Tx, i int) error {
	meta := store.Meta{Account: accountID(i), ID: accountID(i), Name: "Account " + strconv.Itoa(i), Owner: owner}
	a := &account.Account{Meta: meta, State: account.Active, ParentGroup: group, EnterpriseManaged: true}
	if err := account.Accounts.Create(ctx, tx, a, store.Event{}); err != nil {
		return err
	}
	m := &enterprise.Member{Meta: meta, Above: []string{group}, State: account.Active, Managed: true}
	m.Account, m.Parent = root, group
	return enterprise.Members.Create(ctx, tx, m, store.Event{})
}

// assign makes a profile template with two policy templates and assigns it to
// the group. The reconciler has not begun.
func (w *world) assign(ctx context.Context) (*template.Assignment, error) {
	var refs []template.Reference
	for _, key := range []string{"serviceType", "resourceType"} {
		name := "policy on " + key
		t, err := w.create(ctx, kinds.Policy, template.Draft{Name: &name, Committed: true, Payload: []byte(`{"policy":{"type":"access",` +
			`"resource":{"attributes":[{"key":"` + key + `","operator":"stringEquals","value":"` + map[string]string{"serviceType": "service",
			"resourceType": "resource-group"}[key] + `"}]},` +
			`"control":{"grant":{"roles":[{"role_id":"crn:v1:bluemix:public:iam::::role:Administrator"}]}}}}`)})
		if err != nil {
			return nil, err
		}
		refs = append(refs, template.Reference{Kind: kinds.Policy, ID: t.ID, Version: 1})
	}
	name := "operators"
	t, err := w.create(ctx, kinds.Profile, template.Draft{Name: &name, Committed: true, References: refs,
		Payload: []byte(`{"profile":{"name":"operators","identities":[{"type":"serviceid","identifier":"ServiceId-11111111-2222-3333-4444-555555555555"}]}}`)})
	if err != nil {
		return nil, err
	}
	return w.templates.Assign(ctx, asker.System, t, template.Wish{Number: 1, TargetType: template.TargetGroup, Target: group})
}

func (w *world) create(ctx context.Context, kind string, d template.Draft) (*template.Template, error) {
	c, err := w.templates.CheckNew(kind, d)
	if err != nil {
		return nil, err
	}
	t, _, err := w.templates.Create(ctx, asker.System, root, c)
	return t, err
}

// BenchmarkAssignment assigns a profile template with two policy templates to a
// group of 100, 1,000 and 10,000 accounts on a SQLite file; run it with
// -benchtime 1x. An operation is one whole assignment.
func BenchmarkAssignment(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				assignOnce(b, n)
			}
		})
	}
}

func assignOnce(b *testing.B, n int) {
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "k.db")
	w, err := open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	defer w.close()
	began := time.Now()
	if err := w.populate(ctx, n); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(time.Since(began).Seconds(), "populate-s")
	a, err := w.assign(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
	began = time.Now()
	if err := w.runner.Pass(ctx); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	b.ReportMetric(float64(time.Since(began).Microseconds())/float64(n), "µs/account")
	if done, err := w.templates.Assignment(ctx, kinds.Profile, a.ID); err != nil || done.Status != template.Succeeded {
		b.Fatalf("the assignment ended as %+v, %v", done, err)
	}
	if info, err := os.Stat(path); err == nil {
		b.ReportMetric(float64(info.Size())/float64(n), "file-B/account")
	}
}
