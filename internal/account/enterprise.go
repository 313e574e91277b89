package account

import (
	"context"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// What an enterprise does with the accounts of its tree. All of it works inside
// the transaction that writes the tree; package enterprise has asked who may.

// JoinIn makes an account, as it was found, part of an enterprise: of one of its
// groups, or of the enterprise directly when group is "". fault.Conflict for an
// account that is not active or has an enterprise; store.ErrMoved.
func (s *Service) JoinIn(ctx context.Context, tx store.Tx, found *Account, enterprise, group string) (*Account, error) {
	if found.Enterprise != "" || found.State != Active {
		return nil, fault.New(fault.Conflict, "Account '%s' is not active or belongs to an enterprise already.", found.ID)
	}
	a := *found
	a.Enterprise, a.ParentGroup = enterprise, group
	return &a, write(ctx, tx, &a, "enterprise", "account "+a.Name+" joined an enterprise")
}

// MoveIn puts an account into another group of its enterprise, "" for none.
func (s *Service) MoveIn(ctx context.Context, tx store.Tx, accountID, group string) error {
	a, err := get(ctx, tx, Accounts, "Account", accountID, accountID)
	if err != nil {
		return err
	}
	a.ParentGroup = group
	return write(ctx, tx, a, "parent", "account "+a.Name+" was moved")
}

// ManageIn switches enterprise-managed IAM of an account on, for good.
func (s *Service) ManageIn(ctx context.Context, tx store.Tx, accountID string) error {
	a, err := get(ctx, tx, Accounts, "Account", accountID, accountID)
	if err != nil {
		return err
	}
	a.EnterpriseManaged = true
	return write(ctx, tx, a, "enterprise_iam_managed", "update account "+a.Name)
}

// SetStateIn moves an account to another state. Suspended and canceled accounts'
// identities get no tokens.
func (s *Service) SetStateIn(ctx context.Context, tx store.Tx, accountID, state string) error {
	if err := checkState(state); err != nil {
		return err
	}
	a, err := get(ctx, tx, Accounts, "Account", accountID, accountID)
	if err != nil || a.State == state {
		return err
	}
	a.State = state
	verb := "update"
	if state == Canceled {
		verb = "delete"
	}
	return write(ctx, tx, a, "state", verb+" account "+a.Name)
}

func write(ctx context.Context, tx store.Tx, a *Account, param, message string) error {
	return Accounts.Update(ctx, tx, a, store.Event{Action: ActionAccountUpdate, Params: []string{param},
		Message: "Account Management: " + message})
}

func checkState(state string) error {
	return oneOf("state", state, Active, Pending, Suspended, Canceled)
}
