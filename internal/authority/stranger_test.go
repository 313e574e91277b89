package authority_test

import (
	"fmt"
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/authority"
	"github.com/kagiban/kagiban/internal/policy"
)

// Somebody of another account who holds nothing in an account does not make the
// server read what there is in it, and whoever holds something is answered as ever.
func TestAStrangersQuestionReadsNothingOfAnAccount(t *testing.T) {
	s := serve(t)
	g := s.NewGroup(acct, "friends", access.NewMember{IAMID: "IBMid-MEMBER", Type: access.MemberUser})
	give := func(subject string) {
		if _, err := s.CreatePolicy(asker.System, doc(subject, "Viewer", "kms")); err != nil {
			t.Fatal(err)
		}
	}
	give(g.ID)
	give("IBMid-GIVEN")
	give("iam-ServiceId-1")
	ask := func(a *authority.Authority, subject policy.Subject) bool {
		t.Helper()
		r := question(subject.IAMID, "iam.policy.read", "kms")
		r.Subject = subject
		d, err := a.Decide(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		return d.Allowed
	}
	of := func(iamID, account string) policy.Subject {
		return policy.Subject{Kind: policy.KindOf(iamID), IAMID: iamID, Account: account}
	}
	fresh := func() (*authority.Authority, *reads) {
		counted := countingDB{s.DB, &reads{}}
		a := authority.New(authority.Config{DB: counted, Catalogs: s.Registry})
		t.Cleanup(a.Close)
		return a, counted.reads
	}
	strangers := []policy.Subject{of("IBMid-NOBODY", apitest.Other), of("iam-ServiceId-2", apitest.Other),
		of("iam-Profile-2", apitest.Other), {}}
	cost := func() (sum reads) {
		a, counted := fresh()
		for _, subject := range strangers {
			if ask(a, subject) {
				t.Errorf("%+v is let in", subject)
			}
		}
		if a.Accounts() != 0 || a.Size() != 0 {
			t.Errorf("%d accounts of size %d are in memory after strangers asked", a.Accounts(), a.Size())
		}
		return *counted
	}
	few := cost()
	for i := range 50 {
		give(fmt.Sprint("IBMid-MORE", i))
	}
	if many := cost(); many != few {
		t.Errorf("strangers cost %+v where there is little, %+v where there is more", few, many)
	}
	for _, subject := range []policy.Subject{of("IBMid-MEMBER", apitest.Other), of("IBMid-GIVEN", apitest.Other),
		of("iam-ServiceId-1", apitest.Other), of(apitest.Owner, apitest.Other)} {
		if a, _ := fresh(); !ask(a, subject) {
			t.Errorf("%s holds something and is refused", subject.IAMID)
		}
	}
	give(policy.PublicAccessGroupID)
	for _, subject := range strangers {
		if a, _ := fresh(); !ask(a, subject) {
			t.Errorf("%+v is not let in by what everybody holds", subject)
		}
	}
	a, _ := fresh()
	r := question("IBMid-MEMBER", "iam.policy.read", "kms")
	r.Resource.Account = apitest.Absent
	if d, err := a.Decide(t.Context(), r); err != nil || d.Allowed {
		t.Errorf("an account that is not there: %+v, %v", d, err)
	}
}
