package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// NewGroup says what service ID group to make.
type NewGroup struct{ Account, Name, Description string }

// Validate checks what can be checked without the store.
func (n *NewGroup) Validate() error {
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

// CreateGroup makes a service ID group. Errors: fault.Invalid, fault.Conflict
// when the account has one of this name, fault.Limit.
func (s *Service) CreateGroup(ctx context.Context, n NewGroup) (*ServiceIDGroup, error) {
	if err := n.Validate(); err != nil {
		return nil, err
	}
	g := &ServiceIDGroup{Meta: store.Meta{Account: n.Account, ID: s.IDs.New(id.ServiceIDGroup), Name: n.Name, Description: n.Description}}
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		count, err := ServiceIDGroups.Count(ctx, tx, store.Query{Account: n.Account})
		if err != nil {
			return fmt.Errorf("counting groups: %w", err)
		}
		warning, err := within("service ID groups", "in account "+n.Account, count, s.Limits.ServiceIDGroups)
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
	return view(ctx, s, ServiceIDGroups, whatGroup, groupID)
}

// Groups gives the groups of an account by name.
func (s *Service) Groups(ctx context.Context, accountID string) (groups []*ServiceIDGroup, err error) {
	err = s.DB.View(ctx, func(r store.Reader) error {
		groups, err = ServiceIDGroups.List(ctx, r, store.Query{Account: accountID, Order: store.ByName})
		return err
	})
	return groups, err
}

// GroupChange replaces a group's name and, when it is given, its description.
type GroupChange struct {
	Name        string
	Description *string
}

// Validate checks what can be checked without the store.
func (c *GroupChange) Validate() error {
	if err := required("name", c.Name, maxName); err != nil {
		return err
	}
	return optionalText("description", c.Description, maxDescription)
}

// UpdateGroup changes a group. Errors: fault.Invalid, fault.NotFound,
// fault.Stale, fault.Conflict for the name.
func (s *Service) UpdateGroup(ctx context.Context, groupID, ifMatch string, c GroupChange) (g *ServiceIDGroup, err error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	err = s.DB.Update(ctx, func(tx store.Tx) error {
		if g, err = find(ctx, tx, ServiceIDGroups, whatGroup, groupID); err != nil {
			return err
		}
		if err := g.Match(ifMatch); err != nil {
			return err
		}
		var done changes
		before := g.Name
		set(&done, "name", &g.Name, &c.Name)
		set(&done, "description", &g.Description, c.Description)
		ev := serviceGroup.updated(&g.Meta, done, requestData{InstanceName: g.Name, PrevInstanceName: before})
		return nameTaken(ServiceIDGroups.Update(ctx, tx, g, ev), whatGroup, g.Name)
	})
	return g, err
}

// DeleteGroup removes an empty group. Errors: fault.NotFound, fault.Conflict
// when it holds service IDs.
func (s *Service) DeleteGroup(ctx context.Context, groupID string) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		g, err := find(ctx, tx, ServiceIDGroups, whatGroup, groupID)
		if err != nil {
			return err
		}
		count, err := ServiceIDs.Count(ctx, tx, store.Query{Account: g.Account, Parent: g.ID})
		if err != nil {
			return fmt.Errorf("counting service IDs: %w", err)
		}
		if count > 0 {
			return &fault.Error{Kind: fault.Conflict, Code: "delete_not_possible", Number: "BXNIM0105E", Message: "Unable to delete object",
				Details: fmt.Sprintf("Object type '%s' with ID '%s' still holds %d service IDs.", whatGroup, g.ID, count)}
		}
		return ServiceIDGroups.Delete(ctx, tx, g, serviceGroup.deleted(&g.Meta))
	})
}
