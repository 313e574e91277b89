package enterprise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// childMFA is the demand that child accounts begin with.
const childMFA = "NONE_NO_ROPC"

// NewAccount says what child account to make.
type NewAccount struct {
	Name, Owner    string
	MFA            *string // nil: childMFA; "" leaves it off
	Managed        bool    // enterprise-managed IAM
	OwnerServiceID bool    // begins with a service ID that may what the owner may
}

// Validate checks what is required, and the demand.
func (n NewAccount) Validate() error {
	if n.Owner == "" {
		return fault.Missing("owner_iam_id")
	}
	if n.MFA != nil && *n.MFA != "" && !slices.Contains(account.MFALevels, *n.MFA) {
		return fault.Field("traits.mfa", "Property 'traits.mfa' must be one of %s.", strings.Join(account.MFALevels, ", "))
	}
	return checkName(n.Name)
}

// Child is a new child account.
type Child struct {
	*account.Account
	ServiceID *OwnerServiceID // nil: it was not asked for
}

// CreateAccount makes a child account in a place. It is active at once: there is
// nobody to confirm an e-mail to. The owner need not be a user of the enterprise
// account.
func (s *Service) CreateAccount(ctx context.Context, at Place, v valid.Of[NewAccount]) (*Child, error) {
	n := v.Value()
	fresh := account.NewAccount{Name: n.Name, MFA: childMFA, EnterpriseManaged: n.Managed,
		Enterprise: at.Enterprise, ParentGroup: at.groupID()}
	if n.MFA != nil {
		fresh.MFA = *n.MFA
	}
	var child *Child
	err := s.db.Update(ctx, func(tx store.Tx) (err error) {
		if err := s.nameIsFree(ctx, tx, at.Root, n.Name); err != nil {
			return err
		}
		if fresh.Owner, err = knownUser(ctx, tx, at.Root, n.Owner); err != nil {
			return err
		}
		child = &Child{}
		if child.Account, err = s.accounts.CreateIn(ctx, tx, fresh); err != nil {
			return err
		}
		if err := at.take(ctx, tx); err != nil {
			return err
		}
		if err := s.join(ctx, tx, at, child.Account, fresh.Owner.Email, "create"); err != nil || !n.OwnerServiceID {
			return err
		}
		child.ServiceID, err = s.furnish(ctx, tx, child.ID)
		return err
	})
	return child, err
}

// knownUser gives a person as the root account knows them, or else an account
// of the tree that they own, or their login.
func knownUser(ctx context.Context, r store.Reader, root, iamID string) (account.NewUser, error) {
	u, err := account.Users.Get(ctx, r, root, iamID)
	if errors.Is(err, fault.NotFound) {
		var owned []*Member
		if owned, err = Members.List(ctx, r, store.Query{Account: root, Owner: iamID, Limit: 1}); err == nil {
			at := "" // anywhere, if only one account knows them
			if len(owned) > 0 {
				at = owned[0].ID
			}
			u, err = account.Users.Get(ctx, r, at, iamID)
		}
	}
	if errors.Is(err, fault.NotFound) {
		var l *account.Login
		if l, err = account.Logins.Get(ctx, r, store.System, iamID); err == nil {
			return account.NewUser{ID: iamID, Name: l.Email, Email: l.Email}, nil
		}
	}
	if errors.Is(err, fault.NotFound) {
		return account.NewUser{}, fault.Field("owner_iam_id", "Property 'owner_iam_id' names nobody that is known here: '%s'.", iamID)
	}
	if err != nil {
		return account.NewUser{}, fmt.Errorf("reading owner: %w", err)
	}
	return u.Elsewhere(), nil
}

// nameIsFree refuses a second account of one name; cancelled ones do not count.
func (s *Service) nameIsFree(ctx context.Context, tx store.Tx, root, name string) error {
	same, err := Members.List(ctx, tx, store.Query{Account: root, Name: name})
	if err == nil && living(same) > 0 {
		err = fault.New(fault.Conflict, "The enterprise has an account named '%s' already.", name)
	}
	return err
}

// Move puts an account into another place of its enterprise, which its CRN
// names. The asker needs the right to move over the account where it is and over
// the place where it goes.
func (s *Service) Move(ctx context.Context, who asker.Asker, found *Member, parent string) error {
	const action = "enterprise.account.move"
	if err := need(ctx, who, action, found, NoNode(kindAccount, found.ID)); err != nil {
		return err
	}
	at, err := s.Place(ctx, parent)
	if err != nil {
		return err
	}
	if err := need(ctx, who, action, at, NoNode("parent", parent)); err != nil {
		return err
	}
	if at.Enterprise != found.Enterprise || found.Root || found.gone() {
		return fault.Field("parent", "Account '%s' cannot be moved there.", found.ID)
	}
	_, err = s.edit(ctx, found, func(tx store.Tx, m *Member) (ev store.Event, err error) {
		if err := at.take(ctx, tx); err != nil {
			return ev, err
		}
		m.Parent, m.Above = at.ID, at.Above
		return event(kindAccount, "move", m.Account, m.ID, m.Name, "parent"), s.accounts.MoveIn(ctx, tx, m.ID, at.groupID())
	})
	return err
}

// edit changes an account's place, state or part in enterprise-managed IAM.
func (s *Service) edit(ctx context.Context, found *Member, change func(store.Tx, *Member) (store.Event, error)) (*Member, error) {
	return Members.Edit(ctx, s.db, found, func(tx store.Tx, m *Member) (store.Event, error) {
		ev, err := change(tx, m)
		if err != nil {
			return ev, err
		}
		return ev, s.moved(ctx, tx, m.Account)
	})
}

// SetManaged switches enterprise-managed IAM of an account on; nil changes
// nothing. It is for the owner of the account only, because it hands the account
// over to its enterprise, for good: switching it off again is refused, what
// templates made would be orphaned.
func (s *Service) SetManaged(ctx context.Context, who asker.Asker, found *Member, on *bool) (*Member, error) {
	switch {
	case who != asker.System && who.Subject().IAMID != found.Owner:
		return nil, fault.New(fault.Forbidden, "Only the owner of an account can switch enterprise-managed IAM on.")
	case on == nil || *on == found.Managed:
		return found, nil
	case !*on:
		return nil, fault.New(fault.Conflict, "Enterprise-managed IAM cannot be switched off.")
	}
	return s.edit(ctx, found, func(tx store.Tx, m *Member) (store.Event, error) {
		m.Managed = true
		return event(kindAccount, "update", m.Account, m.ID, m.Name, "enterprise_iam_managed"), s.accounts.ManageIn(ctx, tx, m.ID)
	})
}

// DeleteAccount cancels an account for good. Its place stays as a record.
func (s *Service) DeleteAccount(ctx context.Context, found *Member) error {
	if found.Root {
		return fault.New(fault.Conflict, "The enterprise account cannot be deleted.")
	}
	if found.gone() {
		return NoNode(kindAccount, found.ID)
	}
	_, err := s.edit(ctx, found, func(tx store.Tx, m *Member) (store.Event, error) {
		m.State = account.Canceled
		return event(kindAccount, "delete", m.Account, m.ID, m.Name, "state"), s.accounts.SetStateIn(ctx, tx, m.ID, m.State)
	})
	return err
}
