package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// NewGroup says what service ID group to make.
type NewGroup struct{ Account, Name, Description string }

// Validate checks what can be checked without the store.
func (n NewGroup) Validate() error {
	if err := CheckAccount("account_id", n.Account); err != nil {
		return err
	}
	if err := required("name", n.Name, maxName); err != nil {
		return err
	}
	return text("description", n.Description, maxDescription)
}

// CRN is the group's resource name.
func (g *ServiceIDGroup) CRN() string {
	return crn.Of("iam-identity", g.Account, serviceGroup.crnType, g.ID)
}

// CreateGroup makes a service ID group. Errors: fault.Conflict when the account
// has one of this name, fault.Limit.
func (s *Service) CreateGroup(ctx context.Context, checked valid.Of[NewGroup]) (*ServiceIDGroup, error) {
	n := checked.Value()
	g := &ServiceIDGroup{Meta: store.Meta{Account: n.Account, ID: s.ids.New(id.ServiceIDGroup), Name: n.Name, Description: n.Description}}
	err := s.db.Update(ctx, func(tx store.Tx) error {
		count, err := ServiceIDGroups.Count(ctx, tx, store.Query{Account: n.Account})
		if err != nil {
			return fmt.Errorf("counting groups: %w", err)
		}
		warning, err := within("service ID groups", "in account "+n.Account, count, s.limits.ServiceIDGroups)
		if err != nil {
			return err
		}
		return nameTaken(ServiceIDGroups.Create(ctx, tx, g, serviceGroup.created(&g.Meta, warning)), whatGroup, n.Name)
	})
	if err != nil {
		return nil, err
	}
	return g, nil
}

// nameTaken words the conflict of a name that is unique in its account.
func nameTaken(err error, what, name string) error {
	if !errors.Is(err, fault.Conflict) {
		return err
	}
	return &fault.Error{Kind: fault.Conflict, Code: "conflict", Field: "name", Message: "An object with this name exists already.",
		Details: fmt.Sprintf("Object type '%s' with property 'name' '%s' exists in the account.", what, clip(name))}
}

// Group gives a group by its id, whatever its account, or fault.NotFound.
func (s *Service) Group(ctx context.Context, groupID string) (*ServiceIDGroup, error) {
	return find(ctx, s, ServiceIDGroups, whatGroup, groupID)
}

// Groups gives the groups of an account by name.
func (s *Service) Groups(ctx context.Context, accountID string) ([]*ServiceIDGroup, error) {
	return ServiceIDGroups.List(ctx, s.db.Direct(), store.Query{Account: accountID, Order: store.ByName})
}

// GroupChange replaces a group's name and, when it is given, its description.
type GroupChange struct {
	Name        string
	Description *string
}

// Validate checks what can be checked without the store.
func (c GroupChange) Validate() error {
	if err := required("name", c.Name, maxName); err != nil {
		return err
	}
	return optionalText("description", c.Description, maxDescription)
}

// UpdateGroup changes a group that was found. Errors: fault.Stale,
// fault.Conflict for the name, store.ErrMoved.
func (s *Service) UpdateGroup(ctx context.Context, found *ServiceIDGroup, ifMatch string,
	checked valid.Of[GroupChange]) (*ServiceIDGroup, error) {
	c := checked.Value()
	g, err := ServiceIDGroups.Edit(ctx, s.db, found, func(_ store.Tx, g *ServiceIDGroup) (store.Event, error) {
		if err := g.Match(ifMatch); err != nil {
			return store.Event{}, err
		}
		var done changes
		set(&done, "name", &g.Name, &c.Name)
		set(&done, "description", &g.Description, c.Description)
		return serviceGroup.updated(&g.Meta, done, requestData{InstanceName: g.Name, PrevInstanceName: found.Name}), nil
	})
	return g, nameTaken(err, whatGroup, c.Name)
}

// DeleteGroup removes an empty group that was found. Errors: fault.Conflict when
// it holds service IDs, store.ErrMoved.
func (s *Service) DeleteGroup(ctx context.Context, g *ServiceIDGroup) error {
	return ServiceIDGroups.Remove(ctx, s.db, g, func(tx store.Tx) (store.Event, error) {
		count, err := ServiceIDs.Count(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
		if err != nil {
			return store.Event{}, fmt.Errorf("counting service IDs: %w", err)
		}
		if count > 0 {
			return store.Event{}, &fault.Error{Kind: fault.Conflict, Code: "delete_not_possible", Number: "BXNIM0105E",
				Message: "Unable to delete object",
				Details: fmt.Sprintf("Object type '%s' with ID '%s' still holds %d service IDs.", whatGroup, g.ID, count)}
		}
		return serviceGroup.deleted(&g.Meta), nil
	})
}
