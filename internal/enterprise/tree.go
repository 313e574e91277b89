package enterprise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// CreateGroup makes an account group under a place.
func (s *Service) CreateGroup(ctx context.Context, parent, name, contact string) (*Group, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	var g *Group
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		at, err := placeOf(ctx, tx, parent)
		if err != nil {
			return err
		}
		// The enterprise is one tier, the groups above are the others, and
		// accounts need one below.
		if len(at.Above)+2 > s.Limits.Tiers-1 {
			return &fault.Error{Kind: fault.Limit, Code: "limit_exceeded", Message: fmt.Sprintf("An enterprise has at most %d tiers.", s.Limits.Tiers)}
		}
		if err := within(ctx, tx, Groups, at.Root, s.Limits.Groups, "account groups", func(g *Group) bool { return g.State != Deleted }); err != nil {
			return err
		}
		email, err := contactEmail(ctx, tx, at.Root, contact)
		if err != nil {
			return err
		}
		g = &Group{Meta: store.Meta{Account: at.Root, ID: s.IDs.Hex(16), Parent: at.ID, Name: name, Owner: contact},
			Enterprise: at.Enterprise, Above: at.Above, State: account.Active, ContactEmail: email}
		return Groups.Create(ctx, tx, g, event("account-group", "create", at.Root, g.ID, name))
	})
	return g, err
}

// UpdateGroup changes name and contact of a group; nil leaves one.
func (s *Service) UpdateGroup(ctx context.Context, groupID string, name, contact *string) error {
	if name != nil {
		if err := CheckName(*name); err != nil {
			return err
		}
	}
	return s.DB.Update(ctx, func(tx store.Tx) error {
		g, err := Groups.Get(ctx, tx, "", groupID)
		if err != nil {
			return orNoNode(err, "account-group", groupID)
		}
		var params []string
		if name != nil {
			g.Name, params = *name, append(params, "name")
		}
		if contact != nil {
			if g.ContactEmail, err = contactEmail(ctx, tx, g.Account, *contact); err != nil {
				return err
			}
			g.Owner, params = *contact, append(params, "primary_contact_iam_id")
		}
		return Groups.Update(ctx, tx, g, event("account-group", "update", g.Account, g.ID, g.Name, params...))
	})
}

// DeleteGroup makes an empty group a tombstone; see Deleted.
func (s *Service) DeleteGroup(ctx context.Context, groupID string) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		g, err := Groups.Get(ctx, tx, "", groupID)
		if err != nil || g.State == Deleted {
			return orNoNode(orNotFound(err), "account-group", groupID)
		}
		groups, err := Groups.List(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
		if err != nil {
			return err
		}
		members, err := Members.List(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
		if err != nil {
			return err
		}
		if slices.ContainsFunc(groups, func(x *Group) bool { return x.State != Deleted }) ||
			slices.ContainsFunc(members, func(m *Member) bool { return m.State != account.Canceled }) {
			return &fault.Error{Kind: fault.Conflict, Code: "group_not_empty", Message: "The account group holds accounts or other groups. Move or delete them first."}
		}
		g.State = Deleted
		return Groups.Update(ctx, tx, g, event("account-group", "delete", g.Account, g.ID, g.Name, "state"))
	})
}

func orNotFound(err error) error {
	if err == nil {
		return fault.NotFound
	}
	return err
}

// NewAccount says what child account to make.
type NewAccount struct {
	Parent, Name, Owner string
	MFA                 *string // nil: NONE_NO_ROPC, the default of new children; "" leaves it off
	Managed             bool    // enterprise-managed IAM
	// Furnish, if any, puts into the new account what it is to begin with, in
	// the same transaction; it may run more than once.
	Furnish func(ctx context.Context, tx store.Tx, accountID string) error
}

// CreateAccount makes a child account. It is active at once: there is nobody to
// confirm an e-mail to. The owner need not be a user of the enterprise account.
func (s *Service) CreateAccount(ctx context.Context, n NewAccount) (*account.Account, error) {
	if err := CheckName(n.Name); err != nil {
		return nil, err
	}
	var a *account.Account
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		at, err := placeOf(ctx, tx, n.Parent)
		if err != nil {
			return err
		}
		if err := s.nameIsFree(ctx, tx, at.Root, n.Name); err != nil {
			return err
		}
		owner, err := knownUser(ctx, tx, at.Root, n.Owner)
		if err != nil {
			return err
		}
		fresh := account.NewAccount{Name: n.Name, Owner: owner, Enterprise: at.Enterprise, EnterpriseManaged: n.Managed}
		if at.Group {
			fresh.ParentGroup = at.ID
		}
		if a, err = s.Accounts.CreateIn(ctx, tx, fresh); err != nil {
			return err
		}
		if err := setMFA(ctx, tx, a.ID, n.MFA); err != nil {
			return err
		}
		if err := s.revive(ctx, tx, at); err != nil {
			return err
		}
		if err := s.join(ctx, tx, at, a, owner.Email, "create"); err != nil || n.Furnish == nil {
			return err
		}
		return n.Furnish(ctx, tx, a.ID)
	})
	return a, err
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
	return account.NewUser{ID: u.ID, Name: u.Name, Email: u.Email, GivenName: u.GivenName, FamilyName: u.FamilyName}, nil
}

// nameIsFree refuses a second account of one name; cancelled ones do not count.
func (s *Service) nameIsFree(ctx context.Context, tx store.Tx, root, name string) error {
	same, err := Members.List(ctx, tx, store.Query{Account: root, Name: name})
	if err != nil {
		return err
	}
	for _, m := range same {
		if m.State != account.Canceled {
			return fault.New(fault.Conflict, "The enterprise has an account named '%s' already.", name)
		}
	}
	return nil
}

// setMFA sets the demand that new child accounts begin with.
func setMFA(ctx context.Context, tx store.Tx, accountID string, mfa *string) error {
	value := "NONE_NO_ROPC"
	if mfa != nil {
		value = *mfa
	}
	if value == "" {
		return nil
	}
	if !slices.Contains(account.MFALevels, value) {
		return fault.Field("traits.mfa", "Property 'traits.mfa' must be one of %s.", strings.Join(account.MFALevels, ", "))
	}
	set, err := account.SettingsByAcct.Get(ctx, tx, accountID, accountID)
	if err != nil {
		return err
	}
	set.MFA = value
	return account.SettingsByAcct.Update(ctx, tx, set, store.Event{Action: account.ActionSettingsUpdate, Params: []string{"mfa"}, Message: "IAM Identity Service: update accountsettings"})
}

// revive ends the deletion of a group that takes a child.
func (s *Service) revive(ctx context.Context, tx store.Tx, at Place) error {
	if !at.Group {
		return nil
	}
	g, err := Groups.Get(ctx, tx, at.Root, at.ID)
	if err != nil || g.State != Deleted {
		return err
	}
	g.State = account.Active
	return Groups.Update(ctx, tx, g, event("account-group", "update", g.Account, g.ID, g.Name, "state"))
}

// Move puts an account under another place of its enterprise.
func (s *Service) Move(ctx context.Context, accountID, parent string) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		m, err := Members.Get(ctx, tx, "", accountID)
		if err != nil {
			return orNoNode(err, "account", accountID)
		}
		at, err := placeOf(ctx, tx, parent)
		if err != nil {
			return err
		}
		if at.Enterprise != m.Enterprise || m.Root || m.State == account.Canceled {
			return fault.Field("parent", "Account '%s' cannot be moved there.", accountID)
		}
		a, err := account.Accounts.Get(ctx, tx, accountID, accountID)
		if err != nil {
			return err
		}
		m.Parent, m.Above, a.ParentGroup = at.ID, at.Above, ""
		if at.Group {
			a.ParentGroup = at.ID
		}
		if err := s.revive(ctx, tx, at); err != nil {
			return err
		}
		ev := store.Event{Action: account.ActionAccountUpdate, Params: []string{"parent"}, Message: "Account Management: account " + a.Name + " was moved"}
		if err := account.Accounts.Update(ctx, tx, a, ev); err != nil {
			return err
		}
		return Members.Update(ctx, tx, m, event("account", "move", m.Account, m.ID, m.Name, "parent"))
	})
}

// SetManaged switches enterprise-managed IAM of an account on. Switching it off
// again is refused: what templates made would be orphaned.
func (s *Service) SetManaged(ctx context.Context, accountID string, on bool) error {
	return s.changeAccount(ctx, accountID, "update", "enterprise_iam_managed", func(a *account.Account, m *Member) error {
		if a.EnterpriseManaged && !on {
			return fault.New(fault.Conflict, "Enterprise-managed IAM cannot be switched off.")
		}
		a.EnterpriseManaged, m.Managed = on, on
		return nil
	})
}

// DeleteAccount cancels an account for good. Its place stays as a record.
func (s *Service) DeleteAccount(ctx context.Context, accountID string) error {
	return s.changeAccount(ctx, accountID, "delete", "state", func(a *account.Account, m *Member) error {
		if m.Root {
			return fault.New(fault.Conflict, "The enterprise account cannot be deleted.")
		}
		if a.State == account.Canceled {
			return NoNode("account", accountID)
		}
		a.State, m.State = account.Canceled, account.Canceled
		return nil
	})
}

// changeAccount changes an account and its place together.
func (s *Service) changeAccount(ctx context.Context, accountID, verb, param string, fn func(*account.Account, *Member) error) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		m, err := Members.Get(ctx, tx, "", accountID)
		if err != nil {
			return orNoNode(err, "account", accountID)
		}
		a, err := account.Accounts.Get(ctx, tx, accountID, accountID)
		if err != nil {
			return err
		}
		if err := fn(a, m); err != nil {
			return err
		}
		ev := store.Event{Action: account.ActionAccountUpdate, Params: []string{param}, Message: "Account Management: " + verb + " account " + a.Name}
		if err := account.Accounts.Update(ctx, tx, a, ev); err != nil {
			return err
		}
		return Members.Update(ctx, tx, m, event("account", verb, m.Account, m.ID, m.Name, param))
	})
}
