package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// maxScopes bounds the share scope of one identity provider; the official
// service names no figure.
const maxScopes = 100

func checkScopes(list []Scope) error {
	if len(list) > maxScopes {
		return fault.Field("share_scope", "Property 'share_scope' holds more than %d entries.", maxScopes)
	}
	for i, s := range list {
		if s.Type != ScopeAccount && s.Type != ScopeEnterprise {
			return fault.Field("share_scope", "Property 'share_scope.type' must be account or enterprise.")
		}
		if !id.IsAccount(s.ID) { // enterprises have ids of the same form
			return fault.Field("share_scope", "Property 'share_scope.id' is not the ID of an account or enterprise.")
		}
		if slices.Contains(list[:i], s) {
			return fault.Field("share_scope", "Property 'share_scope' holds an entry twice.")
		}
	}
	return nil
}

// scopesOf gives the entries of a share scope that an account falls under.
func scopesOf(list []Scope, a *account.Account) []Scope {
	out := []Scope{}
	for _, s := range list {
		if s.Type == ScopeAccount && s.ID == a.ID || s.Type == ScopeEnterprise && s.ID == a.Enterprise {
			out = append(out, s)
		}
	}
	return out
}

// mayUse tells whether an account may bind the identity provider.
func (p *IdP) mayUse(a *account.Account) bool {
	return p.Account == a.ID || len(scopesOf(p.Shared, a)) > 0
}

// Consumer is an account that uses an identity provider, with the entries of
// the share scope that let it; the owner needs none.
type Consumer struct {
	Account string
	Shared  []Scope
}

// Consumers gives the accounts that use an identity provider that was found, by id.
func (s *Service) Consumers(ctx context.Context, p *IdP) (out []Consumer, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		list, err := consumers.List(ctx, r, store.Query{Account: p.Account, Parent: p.ID, Order: store.ByName})
		if err != nil {
			return fmt.Errorf("listing consumers: %w", err)
		}
		for _, c := range list {
			a, err := accountOf(ctx, r, c.Name)
			if errors.Is(err, fault.NotFound) {
				continue // the account was deleted
			}
			if err != nil {
				return err
			}
			out = append(out, Consumer{c.Name, scopesOf(p.Shared, a)})
		}
		return nil
	})
	return out, err
}

// reshare gives an identity provider another share scope.
func reshare(ctx context.Context, tx store.Tx, p *IdP, now []Scope, force bool) error {
	before := p.Shared
	p.Shared = append([]Scope{}, now...)
	list, err := consumers.List(ctx, tx, store.Query{Account: p.Account, Parent: p.ID})
	if err != nil {
		return fmt.Errorf("listing consumers: %w", err)
	}
	for _, c := range list {
		a, err := accountOf(ctx, tx, c.Name)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return err
		}
		if err == nil && p.mayUse(a) {
			continue
		}
		if !force {
			return &fault.Error{Kind: fault.Conflict, Code: "conflict", Field: "share_scope",
				Message: "An account that uses the identity provider would lose it.",
				Details: fmt.Sprintf("Account '%s' uses the identity provider and is not in the share scope. "+
					"Set force_share_scope_update to take it away.", c.Name)}
		}
		if err := unbind(ctx, tx, p, c.Name); err != nil {
			return err
		}
	}
	return changeOffers(ctx, tx, p, before, p.Shared)
}

// changeOffers keeps the offers of an identity provider with its share scope.
func changeOffers(ctx context.Context, tx store.Tx, p *IdP, before, now []Scope) error {
	told := store.Event{Account: p.Account} // in the owner's log, as part of its change
	for _, s := range before {
		if slices.Contains(now, s) {
			continue
		}
		o, err := offers.Get(ctx, tx, s.ID, offerID(p, s))
		if err == nil {
			err = offers.Delete(ctx, tx, o, told)
		}
		if err != nil && !errors.Is(err, fault.NotFound) {
			return fmt.Errorf("deleting offer: %w", err)
		}
	}
	for _, s := range now {
		if slices.Contains(before, s) {
			continue
		}
		o := &offer{Meta: store.Meta{Account: s.ID, ID: offerID(p, s), Name: p.ID}, Provider: p.Account}
		if err := offers.Create(ctx, tx, o, told); err != nil {
			return fmt.Errorf("storing offer: %w", err)
		}
	}
	return nil
}

func offerID(p *IdP, s Scope) string { return p.ID + "/" + s.Type }

// offered gives the identity providers of others that an account may bind, each once.
func offered(ctx context.Context, r store.Reader, a *account.Account) (out []*IdP, err error) {
	scopes := []Scope{{a.ID, ScopeAccount}}
	if a.Enterprise != "" {
		scopes = append(scopes, Scope{a.Enterprise, ScopeEnterprise})
	}
	seen := map[string]bool{}
	for _, s := range scopes {
		list, err := offers.List(ctx, r, store.Query{Account: s.ID})
		if err != nil {
			return nil, fmt.Errorf("listing offers: %w", err)
		}
		for _, o := range list {
			p, err := get(ctx, r, IdPs, o.Provider, o.Name)
			if errors.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if seen[p.ID] || p.Account == a.ID || !p.mayUse(a) {
				continue
			}
			seen[p.ID] = true
			out = append(out, p)
		}
	}
	return out, nil
}
