package idp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Setting is what an account has to do with an identity provider.
type Setting struct {
	IdP       *IdP
	OwnerName string   // name of the account that owns the identity provider
	Binding   *Binding // nil when the account does not use it
}

// Selection is which settings of an account a list holds.
type Selection string

// The selections.
const (
	Consumable Selection = "consumable" // what the account may use: its own and what is shared with it
	Consumed   Selection = "consumed"   // what it uses
)

// Validate refuses what is no selection.
func (s Selection) Validate() error {
	switch s {
	case "":
		return fault.Missing("type")
	case Consumable, Consumed:
		return nil
	}
	return fault.Field("type", "Parameter 'type' must be consumable or consumed.")
}

// Settings lists the identity providers that an account may use or uses,
// fault.NotFound for an account that is not there.
func (s *Service) Settings(ctx context.Context, accountID string, which valid.Of[Selection]) (out []Setting, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		a, err := accountOf(ctx, r, accountID)
		if err != nil {
			return err
		}
		bindings, err := Bindings.List(ctx, r, store.Query{Account: accountID})
		if err != nil {
			return fmt.Errorf("listing bindings: %w", err)
		}
		var providers []*IdP
		if which.Value() == Consumed {
			providers, err = boundTo(ctx, r, bindings)
		} else if providers, err = IdPs.List(ctx, r, store.Query{Account: accountID}); err == nil {
			var others []*IdP
			others, err = offered(ctx, r, a)
			providers = append(providers, others...)
		}
		if err != nil {
			return err
		}
		for _, p := range providers {
			at := slices.IndexFunc(bindings, func(b *Binding) bool { return b.ID == p.ID })
			setting, err := settingOf(ctx, r, p, nil)
			if err != nil {
				return err
			}
			if at >= 0 {
				setting.Binding = bindings[at]
			}
			out = append(out, *setting)
		}
		return nil
	})
	return out, err
}

func boundTo(ctx context.Context, r store.Reader, bindings []*Binding) (out []*IdP, err error) {
	for _, b := range bindings {
		p, err := get(ctx, r, IdPs, b.Provider, b.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func settingOf(ctx context.Context, r store.Reader, p *IdP, b *Binding) (*Setting, error) {
	out := &Setting{IdP: p, Binding: b}
	owner, err := accountOf(ctx, r, p.Account)
	if err == nil {
		out.OwnerName = owner.Name
	} else if !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	return out, nil
}

// Setting gives an account's use of an identity provider, fault.NotFound when
// it does not use it.
func (s *Service) Setting(ctx context.Context, accountID, idpID string) (out *Setting, err error) {
	if accountID == "" {
		return nil, fault.NoObject(whatIdP, "")
	}
	err = s.db.View(ctx, func(r store.Reader) error {
		b, err := get(ctx, r, Bindings, accountID, idpID)
		if err != nil {
			return err
		}
		p, err := get(ctx, r, IdPs, b.Provider, idpID)
		if err != nil {
			return err
		}
		out, err = settingOf(ctx, r, p, b)
		return err
	})
	return out, err
}

// Offer is an identity provider that an account may use.
type Offer struct {
	IdP     *IdP
	account *account.Account
}

// Offer gives an identity provider that an account may use: its own, or one
// that is shared with it. fault.NotFound for all others.
func (s *Service) Offer(ctx context.Context, accountID, idpID string) (out *Offer, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		a, err := account.Accounts.Get(ctx, r, accountID, accountID)
		if errors.Is(err, fault.NotFound) {
			return fault.NoObject(whatIdP, idpID)
		}
		if err != nil {
			return fmt.Errorf("reading account: %w", err)
		}
		p, err := get(ctx, r, IdPs, "", idpID)
		if err != nil {
			return err
		}
		if !p.mayUse(a) {
			return fault.NoObject(whatIdP, idpID)
		}
		out = &Offer{p, a}
		return nil
	})
	return out, err
}

// Use says how an account uses an identity provider. All of it is required.
type Use struct {
	Strategy  *string
	Active    *bool
	UIDefault *bool
}

// Validate demands all of it.
func (u Use) Validate() error {
	switch {
	case u.Strategy == nil:
		return fault.Missing("cloud_user_strategy")
	case u.Active == nil:
		return fault.Missing("active")
	case u.UIDefault == nil:
		return fault.Missing("ui_default")
	}
	return UseChange(u).Validate()
}

// UseChange changes how an account uses an identity provider; nil leaves a
// property as it is.
type UseChange Use

// Validate checks what is given.
func (u UseChange) Validate() error {
	if u.Strategy != nil && !slices.Contains([]string{StrategyDynamic, StrategyStatic, StrategyNever}, *u.Strategy) {
		return fault.Field("cloud_user_strategy", "Property 'cloud_user_strategy' must be DYNAMIC, STATIC or NEVER.")
	}
	return nil
}

// bindingEvent is what the audit trail of the account tells of its use of an
// identity provider.
func bindingEvent(action, accountID string, p *IdP, params ...string) store.Event {
	return store.Event{
		Action: "iam-identity.account." + action, Name: p.Name, CRN: crn.Of("iam-identity", accountID, "idp", p.ID), Params: params,
		Message: "IAM Identity Service: " + action + " account " + p.Name,
	}
}

// Bind makes an account use an identity provider that is offered to it; the
// offer still stands when it does. fault.Conflict when it uses it already.
func (s *Service) Bind(ctx context.Context, o *Offer, checked valid.Of[Use]) (out *Setting, err error) {
	p, accountID, u := o.IdP, o.account.ID, checked.Value()
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if err := errors.Join(account.Accounts.Hold(ctx, tx, o.account), IdPs.Hold(ctx, tx, p)); err != nil {
			return err
		}
		b := &Binding{
			Meta: store.Meta{Account: accountID, ID: p.ID, Name: p.Name}, Provider: p.Account,
			Strategy: *u.Strategy, Active: *u.Active, UIDefault: *u.UIDefault,
		}
		err = Bindings.Create(ctx, tx, b, bindingEvent("enable_idp", accountID, p))
		if errors.Is(err, fault.Conflict) {
			return &fault.Error{Kind: fault.Conflict, Code: "conflict", Message: "The account uses the identity provider already.",
				Details: fmt.Sprintf("Object type '%s' with ID '%s' is bound to account '%s'.", whatIdP, p.ID, accountID)}
		}
		if err != nil {
			return fmt.Errorf("storing binding: %w", err)
		}
		c := &consumer{store.Meta{Account: p.Account, ID: consumerID(p, accountID), Parent: p.ID, Name: accountID}}
		if err := consumers.Create(ctx, tx, c, store.Silent); err != nil {
			return fmt.Errorf("storing consumer: %w", err)
		}
		if err := onlyDefault(ctx, tx, b); err != nil {
			return err
		}
		out, err = settingOf(ctx, tx, p, b)
		return err
	})
	return out, err
}

func consumerID(p *IdP, accountID string) string { return p.ID + "/" + accountID }

// onlyDefault takes the mark of the default from the account's other bindings.
func onlyDefault(ctx context.Context, tx store.Tx, b *Binding) error {
	if !b.UIDefault {
		return nil
	}
	list, err := Bindings.List(ctx, tx, store.Query{Account: b.Account})
	if err != nil {
		return fmt.Errorf("listing bindings: %w", err)
	}
	for _, other := range list {
		if other.ID == b.ID || !other.UIDefault {
			continue
		}
		other.UIDefault = false
		if err := Bindings.Update(ctx, tx, other, store.Silent); err != nil {
			return fmt.Errorf("storing binding: %w", err)
		}
	}
	return nil
}

// Rebind changes how an account uses an identity provider.
func (s *Service) Rebind(ctx context.Context, found *Setting, checked valid.Of[UseChange]) (*Setting, error) {
	u := checked.Value()
	b, err := Bindings.Edit(ctx, s.db, found.Binding, func(tx store.Tx, b *Binding) (store.Event, error) {
		var params []string
		if u.Strategy != nil && *u.Strategy != b.Strategy {
			b.Strategy, params = *u.Strategy, append(params, "cloud_user_strategy")
		}
		if u.Active != nil && *u.Active != b.Active {
			b.Active, params = *u.Active, append(params, "active")
		}
		if u.UIDefault != nil && *u.UIDefault != b.UIDefault {
			b.UIDefault, params = *u.UIDefault, append(params, "ui_default")
		}
		return bindingEvent("enable_idp", b.Account, found.IdP, params...), onlyDefault(ctx, tx, b)
	})
	if err != nil {
		return nil, err
	}
	return &Setting{IdP: found.IdP, OwnerName: found.OwnerName, Binding: b}, nil
}

// Unbind ends an account's use of an identity provider.
func (s *Service) Unbind(ctx context.Context, found *Setting) error {
	return Bindings.Remove(ctx, s.db, found.Binding, func(tx store.Tx) (store.Event, error) {
		return bindingEvent("disable_idp", found.Binding.Account, found.IdP), dropConsumer(ctx, tx, found.IdP, found.Binding.Account)
	})
}

// unbind takes an identity provider away from an account that may use it.
func unbind(ctx context.Context, tx store.Tx, p *IdP, accountID string) error {
	b, err := Bindings.Get(ctx, tx, accountID, p.ID)
	if err == nil {
		err = Bindings.Delete(ctx, tx, b, bindingEvent("disable_idp", accountID, p))
	}
	if err != nil && !errors.Is(err, fault.NotFound) {
		return fmt.Errorf("deleting binding: %w", err)
	}
	return dropConsumer(ctx, tx, p, accountID)
}

func dropConsumer(ctx context.Context, tx store.Tx, p *IdP, accountID string) error {
	c, err := consumers.Get(ctx, tx, p.Account, consumerID(p, accountID))
	if err == nil {
		err = consumers.Delete(ctx, tx, c, store.Silent)
	}
	if err != nil && !errors.Is(err, fault.NotFound) {
		return fmt.Errorf("deleting consumer: %w", err)
	}
	return nil
}
