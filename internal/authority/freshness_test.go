package authority_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/catalog"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// writer gives and takes the right of one identity, by a policy of its own or
// by membership of a group that has it.
type writer struct {
	s     *apitest.Server
	iamID string
	group *access.Group // nil writes policies
	// state counts: odd while a write is under way; after it, a multiple of 4
	// when the right is taken, else given.
	state  atomic.Int64
	policy string
}

func (w *writer) write(ctx context.Context) error {
	give := w.state.Add(1)%4 == 1
	defer w.state.Add(1)
	var err error
	switch {
	case w.group != nil && give:
		_, err = w.s.Access.AddMembers(ctx, asker.System, w.group, apitest.Checked(w.s.T, access.Joining{{IAMID: w.iamID, Type: "user"}}))
	case w.group != nil:
		err = w.s.Access.RemoveMember(ctx, asker.System, w.group, w.iamID)
	case give:
		var p *access.Policy
		if p, err = w.s.CreatePolicy(asker.System, doc(w.iamID, "Viewer", "watson")); err == nil {
			w.policy = p.ID
		}
	default:
		err = w.s.DeletePolicy(w.policy)
	}
	return err
}

// check decides, and judges the answer if nothing was written meanwhile.
func (w *writer) check(ctx context.Context) (policy.Decision, error) {
	before := w.state.Load()
	d, err := w.s.Authority.Decide(ctx, question(w.iamID, "iam.policy.read", "watson"))
	if after := w.state.Load(); err == nil && before == after && before%2 == 0 && d.Allowed != (before%4 == 2) {
		err = fmt.Errorf("%s in state %d: allowed %v by a snapshot at %d", w.iamID, before, d.Allowed, d.Seq)
	}
	return d, err
}

func TestNoDecisionIsOlderThanAWriteThatHasReturned(t *testing.T) {
	s := serve(t)
	ctx := t.Context()
	group := s.NewGroup(acct, "readers")
	if _, err := s.CreatePolicy(asker.System, doc(group.ID, "Viewer", "watson")); err != nil {
		t.Fatal(err)
	}
	const rounds = 60
	writers := make([]*writer, 6)
	for i := range writers {
		writers[i] = &writer{s: s, iamID: fmt.Sprint("IBMid-W", i)}
		if i%2 == 0 {
			writers[i].group = group
		}
	}
	var writing, deciding sync.WaitGroup
	var done atomic.Bool
	var judged atomic.Int64
	for _, w := range writers {
		writing.Go(func() {
			for range rounds {
				if err := w.write(ctx); err != nil {
					t.Error(err)
					return
				}
				if _, err := w.check(ctx); err != nil { // its own write, at once
					t.Error(err)
				}
			}
		})
	}
	for range 4 {
		deciding.Go(func() {
			var last int64
			for !done.Load() {
				d, err := writers[rand.IntN(len(writers))].check(ctx)
				if err != nil || d.Seq < last {
					t.Errorf("%v; the log went from %d to %d", err, last, d.Seq)
					return
				}
				last = d.Seq
				judged.Add(1)
			}
		})
	}
	writing.Wait()
	done.Store(true)
	deciding.Wait()
	if judged.Load() < rounds {
		t.Errorf("only %d decisions beside the writers", judged.Load())
	}
}

func TestEventsThatDoNotMatterCostNothing(t *testing.T) {
	s := serve(t)
	db := &counting{DB: s.DB}
	a := authority.New(authority.Config{DB: db, Catalogs: s.Registry})
	defer a.Close()
	allowed(t, a, "IBMid-A", "iam.policy.read", "kms")
	if db.views.Load() != 1 {
		t.Fatalf("the first decision reads once, not %d times", db.views.Load())
	}
	newUser := func(i int) {
		s.Update(func(ctx context.Context, tx store.Tx) error {
			u := &account.User{Meta: store.Meta{Account: acct, ID: fmt.Sprint("IBMid-", i)}, State: "ACTIVE"}
			return account.Users.Create(ctx, tx, u, store.Event{})
		})
	}
	for i := range 10 {
		newUser(i)
		allowed(t, a, "IBMid-A", "iam.policy.read", "kms")
	}
	if db.views.Load() != 1 {
		t.Errorf("new users made it read %d times", db.views.Load()-1)
	}
	s.Grant("IBMid-A", "Viewer", "serviceName=kms")
	if !allowed(t, a, "IBMid-A", "iam.policy.read", "kms") || db.views.Load() != 2 {
		t.Errorf("after a new policy it has read %d times", db.views.Load())
	}
	s.Grant("IBMid-A", "Viewer", "serviceName=watson")
	newUser(10)
	if !allowed(t, a, "IBMid-A", "iam.policy.read", "watson") {
		t.Error("an event that does not matter hid one before it that does")
	}
}

// counting counts reads and fails when told to.
type counting struct {
	store.DB
	views  atomic.Int64
	broken atomic.Bool
}

func (c *counting) View(ctx context.Context, fn func(store.Reader) error) error {
	c.views.Add(1)
	if c.broken.Load() {
		return fault.New(fault.Unavailable, "the disk is gone")
	}
	return c.DB.View(ctx, fn)
}

func TestWithoutTheStoreThereIsNoOldAnswer(t *testing.T) {
	s := serve(t)
	db := &counting{DB: s.DB}
	a := authority.New(authority.Config{DB: db, Catalogs: s.Registry})
	defer a.Close()
	policyID := s.Grant("IBMid-A", "Viewer", "serviceName=kms")
	if !allowed(t, a, "IBMid-A", "iam.policy.read", "kms") {
		t.Fatal("the policy must allow")
	}
	db.broken.Store(true)
	if !allowed(t, a, "IBMid-A", "iam.policy.read", "kms") {
		t.Error("nothing has changed: the answer needs no store")
	}
	if err := s.DeletePolicy(policyID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Decide(t.Context(), question("IBMid-A", "iam.policy.read", "kms")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a change that cannot be read must be an error, got %v", err)
	}
	db.broken.Store(false)
	if allowed(t, a, "IBMid-A", "iam.policy.read", "kms") {
		t.Error("the deleted policy still allows")
	}
}

func TestACallerWhoWaitsCanLeave(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	<-ctx.Done()
	if _, err := s.Authority.Decide(ctx, question("IBMid-A", "iam.policy.read", "kms")); err == nil {
		t.Error("a cancelled caller got a decision that had to be read")
	}
	if allowed(t, s.Authority, "IBMid-A", "iam.policy.read", "kms") {
		t.Error("nothing was granted")
	}
}

func TestManyAccountsTakeBoundedMemory(t *testing.T) {
	s := serve(t)
	const accounts, max = 200, 40
	a := authority.New(authority.Config{DB: s.DB, Catalogs: s.Registry, MaxSize: max})
	defer a.Close()
	name := func(i int) string { return fmt.Sprintf("%032x", i+1) }
	for i := range accounts {
		s.NewAccount(name(i), "IBMid-A")
		if i%3 == 0 {
			s.Grant("IBMid-B", "Viewer", "serviceName=kms", "accountId="+name(i))
		}
	}
	for range 3 {
		for i := range accounts {
			q := question("IBMid-B", "iam.policy.read", "kms")
			q.Resource.Account = name(i)
			d, err := a.Decide(t.Context(), q)
			if err != nil || d.Allowed != (i%3 == 0) {
				t.Fatalf("account %d: %+v %v", i, d, err)
			}
			if got := a.Size(); got > max {
				t.Fatalf("snapshots of size %d are kept, at most %d may be", got, max)
			}
		}
	}
	// Accounts that are not there leave nothing.
	before := a.Size()
	for i := range 1000 {
		q := question("IBMid-B", "iam.policy.read", "kms")
		q.Resource.Account = fmt.Sprintf("%032x", 1<<20+i)
		if d, err := a.Decide(t.Context(), q); err != nil || d.Allowed || d.Reason != policy.ReasonOtherAccount {
			t.Fatalf("an absent account: %+v %v", d, err)
		}
	}
	if a.Size() != before || a.Accounts() > max {
		t.Errorf("absent accounts left %d places", a.Accounts())
	}
}

func TestAccountsComeAndChangeState(t *testing.T) {
	s := serve(t)
	ask := func() policy.Decision {
		q := question("IBMid-NEW", "iam.policy.read", "kms")
		q.Resource.Account = apitest.Absent
		d, err := s.Authority.Decide(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := ask(); d.Reason != policy.ReasonOtherAccount {
		t.Errorf("before the account is there: %+v", d)
	}
	s.NewAccount(apitest.Absent, "IBMid-NEW")
	if d := ask(); !d.Allowed || d.Reason != policy.ReasonOwner {
		t.Errorf("its owner: %+v", d)
	}
	accounts := account.New(account.Config{DB: s.DB})
	s.Update(func(ctx context.Context, tx store.Tx) error {
		return accounts.SetStateIn(ctx, tx, apitest.Absent, account.Suspended)
	})
	if d := ask(); d.Allowed || d.Reason != policy.ReasonAccountState {
		t.Errorf("suspended: %+v", d)
	}
}

func TestAChangeThatIsToldInAnotherAccountsLogCounts(t *testing.T) {
	s := serve(t)
	if !allowed(t, s.Authority, apitest.Owner, "iam.policy.read", "kms") {
		t.Fatal("the owner must be let in")
	}
	give := func(owner string) {
		s.Update(func(ctx context.Context, tx store.Tx) error {
			a, err := account.Accounts.Get(ctx, tx, acct, acct)
			if err != nil {
				return err
			}
			a.Owner = owner
			return account.Accounts.Update(ctx, tx, a, store.Event{Account: apitest.Other, Action: "enterprise.account.update"})
		})
	}
	for range 3 {
		give("IBMid-A")
		if allowed(t, s.Authority, apitest.Owner, "iam.policy.read", "kms") || !allowed(t, s.Authority, "IBMid-A", "iam.policy.read", "kms") {
			t.Fatal("the new owner must be let in, the old one not")
		}
		give(apitest.Owner)
		if !allowed(t, s.Authority, apitest.Owner, "iam.policy.read", "kms") || allowed(t, s.Authority, "IBMid-A", "iam.policy.read", "kms") {
			t.Fatal("the owner has come back")
		}
	}
}

func TestResetForgetsEverything(t *testing.T) {
	s := serve(t)
	s.Grant("IBMid-A", "Viewer", "serviceName=kms")
	if !allowed(t, s.Authority, "IBMid-A", "iam.policy.read", "kms") {
		t.Fatal("the policy must allow")
	}
	if err := s.DB.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if allowed(t, s.Authority, "IBMid-A", "iam.policy.read", "kms") || s.Authority.Size() != 0 {
		t.Error("a policy outlived the reset")
	}
	s.NewAccount(acct, "IBMid-A") // the log begins again at 1
	if !allowed(t, s.Authority, "IBMid-A", "iam.policy.read", "kms") {
		t.Error("the new owner must be let in")
	}
}

func TestOwnServiceDecidesAtOnce(t *testing.T) {
	s := serve(t)
	shop := catalog.Service{Name: "web-shop", Roles: []catalog.Role{{Name: "Cashier"}},
		Grants: []catalog.Grant{{Roles: []string{"Cashier"}, Actions: []string{"order.refund"}}}}
	if allowed(t, s.Authority, apitest.Owner, "web-shop.order.refund", "web-shop") {
		t.Fatal("an unknown action is nobody's")
	}
	own := s.Register(shop)
	s.Grant("IBMid-A", "crn:v1:bluemix:public:web-shop::::serviceRole:Cashier", "serviceName=web-shop")
	if !allowed(t, s.Authority, "IBMid-A", "web-shop.order.refund", "web-shop") {
		t.Error("the cashier must be able to refund")
	}
	shop.Grants[0].Actions = []string{"order.read"}
	own, err := s.Registry.Replace(t.Context(), own, "", apitest.Checked(t, shop))
	if err != nil {
		t.Fatal(err)
	}
	if allowed(t, s.Authority, "IBMid-A", "web-shop.order.refund", "web-shop") ||
		!allowed(t, s.Authority, "IBMid-A", "web-shop.order.read", "web-shop") {
		t.Error("the role's new actions must count at once")
	}
	if err := s.Registry.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if allowed(t, s.Authority, "IBMid-A", "web-shop.order.read", "web-shop") {
		t.Error("a service that is gone still grants")
	}
}
