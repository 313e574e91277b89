package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Types of identities that a profile trusts.
const (
	TrustUser    = "user"
	TrustService = "serviceid"
	TrustCRN     = "crn"
)

// maxTrustAccounts bounds the accounts of a trusted user; maxTrustCRN keeps
// the id of the Trust under the store's bound. No public figures exist.
const (
	maxTrustAccounts = 100
	maxTrustCRN      = 440
)

// TrustSpec names an identity that a profile shall trust.
type TrustSpec struct {
	Type       string
	Identifier string
	Accounts   []string // of users
	// Description "" means none; of a service ID of the profile's own account
	// it is then the service ID's.
	Description string
}

// TrustKey names an identity that a profile trusts.
type TrustKey struct{ Type, Identifier string }

// Validate checks what can be checked without the store.
func (k TrustKey) Validate() error {
	if err := oneOf("identity-type", k.Type, TrustUser, TrustService, TrustCRN); err != nil {
		return err
	}
	return required("identifier", k.Identifier, maxID)
}

// Validate checks what can be checked without the store.
func (t TrustSpec) Validate() error {
	if t.Type == "" {
		return fault.Missing("type")
	}
	if err := oneOf("type", t.Type, TrustUser, TrustService, TrustCRN); err != nil {
		return err
	}
	if err := required("identifier", t.Identifier, maxID); err != nil {
		return err
	}
	if err := text("description", t.Description, maxDescription); err != nil {
		return err
	}
	if len(t.Accounts) > 0 && t.Type != TrustUser {
		return fault.Field("accounts", "Property 'accounts' is valid for identities of type 'user' only.")
	}
	if len(t.Accounts) > maxTrustAccounts {
		return fault.Field("accounts", "Property 'accounts' holds more than %d accounts.", maxTrustAccounts)
	}
	for _, a := range t.Accounts {
		if err := CheckAccount("accounts", a); err != nil {
			return err
		}
	}
	return t.validateIdentifier()
}

func (t *TrustSpec) validateIdentifier() error {
	bad := fault.Field("identifier", "Property 'identifier' is not an identity of type '%s'.", t.Type)
	switch t.Type {
	case TrustUser:
		if len(t.Identifier) > maxIAMID || strings.HasPrefix(t.Identifier, id.IAMPrefix) || strings.HasPrefix(t.Identifier, id.CRNPrefix) ||
			strings.HasPrefix(t.Identifier, id.ServiceID) || strings.ContainsAny(t.Identifier, "/ ") {
			return bad
		}
	case TrustService:
		if len(t.Identifier) > maxIAMID || !strings.HasPrefix(t.Identifier, id.ServiceID) || len(t.Identifier) == len(id.ServiceID) {
			return bad
		}
	case TrustCRN:
		if len(t.Identifier) > maxTrustCRN || resourceAccount(t.Identifier) == "" {
			return bad
		}
	}
	return nil
}

// iamID gives the IAM id of a trusted identity.
func (t *TrustSpec) iamID() string {
	switch t.Type {
	case TrustService:
		return id.IAMOf(t.Identifier)
	case TrustCRN:
		return id.CRNPrefix + t.Identifier
	}
	return t.Identifier
}

// TrustSpecs is a whole list of trusted identities.
type TrustSpecs []TrustSpec

// Validate checks each, and that none comes twice.
func (specs TrustSpecs) Validate() error {
	seen := map[string]bool{}
	for i := range specs {
		if err := specs[i].Validate(); err != nil {
			return err
		}
		key := TrustID("", specs[i].Type, specs[i].Identifier)
		if seen[key] {
			return fault.Field("identities", "Property 'identities' names '%s' twice.", clip(specs[i].Identifier))
		}
		seen[key] = true
	}
	return nil
}

// Trusts gives the identities that a profile trusts, oldest first, and the
// head with the list's entity tag.
func (s *Service) Trusts(ctx context.Context, p *Profile) (head *TrustList, trusts []*Trust, err error) {
	err = s.db.View(ctx, func(r store.Reader) error {
		if head, err = trustList(ctx, r, p); err != nil {
			return err
		}
		trusts, err = Trusts.List(ctx, r, partsOf(p))
		return err
	})
	return head, trusts, err
}

func trustList(ctx context.Context, r store.Reader, p *Profile) (*TrustList, error) {
	head, err := TrustLists.Get(ctx, r, p.Account, p.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the trusted identities of %s: %w", p.ID, err)
	}
	return head, nil
}

// changeTrusts changes the list of a profile that was found, and tells it.
func (s *Service) changeTrusts(ctx context.Context, p *Profile, change func(store.Tx, *TrustList) error) error {
	return s.inProfile(ctx, p, func(tx store.Tx) error {
		head, err := trustList(ctx, tx, p)
		if err != nil {
			return err
		}
		if err := change(tx, head); err != nil {
			return err
		}
		return TrustLists.Update(ctx, tx, head, partOf(p, "identities"))
	})
}

// SetTrusts replaces the identities that a profile that was found trusts.
// Errors: fault.Stale, fault.Limit, fault.Forbidden for what an enterprise
// keeps, store.ErrMoved.
func (s *Service) SetTrusts(ctx context.Context, p *Profile, ifMatch string, checked valid.Of[TrustSpecs]) (head *TrustList,
	trusts []*Trust, err error) {
	specs := checked.Value()
	err = s.changeTrusts(ctx, p, func(tx store.Tx, list *TrustList) error {
		head = list
		if err := head.Match(ifMatch); err != nil {
			return err
		}
		if len(specs) > s.limits.IdentitiesPerProfile {
			_, err := within("trusted identities", "in trusted profile "+p.ID, len(specs), s.limits.IdentitiesPerProfile)
			return err
		}
		old, err := Trusts.List(ctx, tx, partsOf(p))
		if err != nil {
			return fmt.Errorf("listing trusted identities: %w", err)
		}
		for _, t := range old {
			kept := slices.ContainsFunc(specs, func(spec TrustSpec) bool { return TrustID(p.ID, spec.Type, spec.Identifier) == t.ID })
			if kept {
				continue
			}
			if t.Managed && !p.Controls.Identities.Remove {
				return managedBy(p.Template)
			}
			if err := Trusts.Delete(ctx, tx, t, store.Silent); err != nil {
				return fmt.Errorf("deleting trusted identity: %w", err)
			}
		}
		trusts = make([]*Trust, len(specs))
		for i := range specs {
			if trusts[i], err = putOwnTrust(ctx, tx, p, &specs[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return head, trusts, err
}

// SetTrust lets a profile that was found trust one more identity, or replaces
// it. Errors: fault.Limit, fault.Forbidden where an enterprise rules it out,
// store.ErrMoved.
func (s *Service) SetTrust(ctx context.Context, p *Profile, checked valid.Of[TrustSpec]) (trust *Trust, err error) {
	spec := checked.Value()
	err = s.changeTrusts(ctx, p, func(tx store.Tx, _ *TrustList) error {
		if trust, err = putOwnTrust(ctx, tx, p, &spec); err != nil {
			return err
		}
		count, err := Trusts.Count(ctx, tx, partsOf(p))
		if err != nil {
			return fmt.Errorf("counting trusted identities: %w", err)
		}
		_, err = within("trusted identities", "in trusted profile "+p.ID, count-1, s.limits.IdentitiesPerProfile)
		return err
	})
	return trust, err
}

// putOwnTrust is putTrust for the account itself, which cannot change what the
// enterprise trusts; sending it again as it is changes nothing.
func putOwnTrust(ctx context.Context, tx store.Tx, p *Profile, spec *TrustSpec) (*Trust, error) {
	trust, err := Trusts.Get(ctx, tx, p.Account, TrustID(p.ID, spec.Type, spec.Identifier))
	if errors.Is(err, fault.NotFound) && !p.mayAdd(p.Controls.Identities) {
		return nil, closed(p, "trusted identities")
	}
	if errors.Is(err, fault.NotFound) || err == nil && !trust.Managed {
		return putTrust(ctx, tx, p, spec, false)
	}
	if err != nil {
		return nil, fmt.Errorf("reading trusted identity: %w", err)
	}
	if !slices.Equal(trust.Accounts, spec.Accounts) || spec.Description != "" && spec.Description != trust.Detail {
		return nil, managedBy(p.Template)
	}
	return trust, nil
}

// putTrust creates or replaces one trust of a profile, managed when a template
// gives it; its caller tells the audit trail through the head of the list.
func putTrust(ctx context.Context, tx store.Tx, p *Profile, spec *TrustSpec, managed bool) (*Trust, error) {
	trust, err := Trusts.Get(ctx, tx, p.Account, TrustID(p.ID, spec.Type, spec.Identifier))
	exists := err == nil
	if errors.Is(err, fault.NotFound) {
		trust, err = &Trust{Meta: store.Meta{Account: p.Account, ID: TrustID(p.ID, spec.Type, spec.Identifier), Parent: p.ID,
			Owner: spec.iamID()}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading trusted identity: %w", err)
	}
	trust.Type, trust.Identifier, trust.Accounts, trust.Detail = spec.Type, spec.Identifier, slices.Clone(spec.Accounts), spec.Description
	trust.Managed = managed
	if spec.Type == TrustService && spec.Description == "" {
		// Only inside the account: a description of another one is nobody's business here.
		v, err := ServiceIDs.Get(ctx, tx, p.Account, spec.Identifier)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, fmt.Errorf("reading service ID: %w", err)
		}
		if v != nil {
			trust.Detail = v.Description
		}
	}
	if exists {
		err = Trusts.Update(ctx, tx, trust, store.Silent)
	} else {
		err = Trusts.Create(ctx, tx, trust, store.Silent)
	}
	if err != nil {
		return nil, fmt.Errorf("storing trusted identity: %w", err)
	}
	return trust, nil
}

// Trust gives one identity that a profile trusts. When the profile does not
// trust it that is fault.Invalid: so the official service answers.
func (s *Service) Trust(ctx context.Context, p *Profile, checked valid.Of[TrustKey]) (*Trust, error) {
	k := checked.Value()
	trust, err := Trusts.Get(ctx, s.db.Direct(), p.Account, TrustID(p.ID, k.Type, k.Identifier))
	if errors.Is(err, fault.NotFound) {
		return nil, fault.Field("identifier", "The profile has no identity '%s' of type '%s'.", clip(k.Identifier), k.Type)
	}
	return trust, err
}

// DeleteTrust ends the trust of a profile that was found in an identity. Errors:
// fault.NotFound when it does not trust the identity, fault.Forbidden when an
// enterprise keeps it, store.ErrMoved.
func (s *Service) DeleteTrust(ctx context.Context, p *Profile, checked valid.Of[TrustKey]) error {
	k := checked.Value()
	return s.changeTrusts(ctx, p, func(tx store.Tx, _ *TrustList) error {
		trust, err := findIn(ctx, tx, Trusts, "ProfileIdentity", p.Account, TrustID(p.ID, k.Type, k.Identifier))
		if err != nil {
			return err
		}
		if trust.Managed && !p.Controls.Identities.Remove {
			return managedBy(p.Template)
		}
		if err := Trusts.Delete(ctx, tx, trust, store.Silent); err != nil {
			return fmt.Errorf("deleting trusted identity: %w", err)
		}
		return nil
	})
}
