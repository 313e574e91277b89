package enterprise_test

import (
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/enterprise"
)

// forest is the enterprises of apitest's two accounts, each with its root and
// its first child.
type forest struct {
	*apitest.Server
	mine, foreign *enterprise.Enterprise
}

func plant(t *testing.T, change ...func(*apitest.Options)) *forest {
	t.Helper()
	f := &forest{Server: apitest.New(t, nil, change...)}
	f.mine, f.foreign = f.grow(apitest.Account, apitest.Owner), f.grow(apitest.Other, apitest.OtherOwner)
	return f
}

func limits(l enterprise.Limits) func(*apitest.Options) {
	return func(o *apitest.Options) { o.Tree = l }
}

func (f *forest) ok(err error) {
	f.T.Helper()
	if err != nil {
		f.T.Fatal(err)
	}
}

// grow makes an enterprise out of an account.
func (f *forest) grow(accountID, owner string) *enterprise.Enterprise {
	f.T.Helper()
	source, err := f.Tree.Account(f.T.Context(), accountID)
	f.ok(err)
	spec := apitest.Checked(f.T, enterprise.NewEnterprise{Name: "Enterprise", Contact: owner})
	e, err := f.Tree.Create(f.T.Context(), asker.System, source, spec)
	f.ok(err)
	return e
}

// group makes an account group in a place of the first enterprise.
func (f *forest) group(at enterprise.Place, name string) *enterprise.Group {
	f.T.Helper()
	g, err := f.newGroup(at, name)
	f.ok(err)
	return g
}

func (f *forest) newGroup(at enterprise.Place, name string) (*enterprise.Group, error) {
	return f.Tree.CreateGroup(f.T.Context(), at, apitest.Checked(f.T, enterprise.NewGroup{Name: name, Contact: apitest.Owner}))
}

// child makes an account in a place of the first enterprise.
func (f *forest) child(at enterprise.Place, name string) *enterprise.Member {
	f.T.Helper()
	a, err := f.newChild(at, name)
	f.ok(err)
	return f.member(a.ID)
}

func (f *forest) newChild(at enterprise.Place, name string) (*enterprise.Child, error) {
	return f.Tree.CreateAccount(f.T.Context(), at, apitest.Checked(f.T, enterprise.NewAccount{Name: name, Owner: apitest.Owner}))
}

// member and again read a node as it is now.
func (f *forest) member(accountID string) *enterprise.Member {
	f.T.Helper()
	m, err := f.Tree.Member(f.T.Context(), accountID)
	f.ok(err)
	return m
}

func (f *forest) again(g *enterprise.Group) *enterprise.Group {
	f.T.Helper()
	g, err := f.Tree.Group(f.T.Context(), g.ID)
	f.ok(err)
	return g
}

// administers makes an identity an administrator of the part of the first
// enterprise below some groups, and gives it with a token of the root account.
func (f *forest) administers(iamID string, groups ...*enterprise.Group) asker.Asker {
	f.T.Helper()
	for _, g := range groups {
		f.Grant(iamID, "Administrator", "accountId="+f.mine.Account, "serviceName=enterprise", "resourceType=account-group", "resource="+g.ID)
	}
	return f.As(iamID, f.mine.Account)
}

// refused tells whether an error is of a kind.
func refused(t testing.TB, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}
