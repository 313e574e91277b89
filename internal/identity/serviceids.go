package identity

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// maxInstanceCRNs bounds unique_instance_crns; no public figure exists.
const maxInstanceCRNs = 100

// NewServiceID says what service ID to make.
type NewServiceID struct {
	Account            string
	Group              string // "" is the default group
	Name               string
	Description        string
	UniqueInstanceCRNs []string
	Locked             bool
	// Key makes an API key with it; its IAMID and Account are filled in.
	Key *NewAPIKey
}

// Validate checks what can be checked without the store.
func (n NewServiceID) Validate() error {
	if err := CheckAccount("account_id", n.Account); err != nil {
		return err
	}
	if err := required("name", n.Name, maxName); err != nil {
		return err
	}
	if err := text("description", n.Description, maxDescription); err != nil {
		return err
	}
	if err := text("group_id", n.Group, maxIAMID); err != nil {
		return err
	}
	if err := checkInstances(n.UniqueInstanceCRNs); err != nil || n.Key == nil {
		return err
	}
	if n.Key.Traits.Name == nil || required("name", *n.Key.Traits.Name, maxName) != nil {
		return fault.Field("apikey.name", "Property 'apikey.name' is missing, empty or wrong.")
	}
	if n.Key.Traits.sessions() {
		return fault.Field("apikey.support_sessions", "Property 'apikey.support_sessions' is available for API keys of users only.")
	}
	return n.Key.validateRest()
}

func checkInstances(crns []string) error {
	const field = "unique_instance_crns"
	if len(crns) > maxInstanceCRNs {
		return fault.Field(field, "Property '%s' holds more than %d CRNs.", field, maxInstanceCRNs)
	}
	for _, one := range crns {
		if _, err := crn.Parse(one); err != nil {
			return fault.Field(field, "Property '%s' holds an entry that is no CRN.", field)
		}
	}
	return nil
}

// actionAddServiceID is what whoever makes service IDs must hold where being a
// member of the account does not suffice.
const actionAddServiceID = "iam-identity.serviceid.create"

// CreateServiceID makes a service ID, and an API key of it when asked for one;
// the value is the key's. Members of the account may, unless it restricts that
// to those who hold the action. Errors: fault.NotFound for the account or the
// group, fault.Forbidden, fault.Conflict for the key's value, fault.Limit.
func (s *Service) CreateServiceID(ctx context.Context, who asker.Asker, n valid.Of[NewServiceID]) (svc *ServiceID, key *APIKey,
	value secret.Value, err error) {
	rests, err := s.memberMay(ctx, who, actionAddServiceID, ServiceIDsIn(n.Value().Account))
	if err != nil {
		return nil, nil, value, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) (err error) {
		if err := rests(ctx, tx); err != nil {
			return err
		}
		svc, key, value, err = s.CreateServiceIDIn(ctx, tx, n)
		return err
	})
	if err != nil {
		return nil, nil, secret.Value{}, err
	}
	return svc, key, value, nil
}

// CreateServiceIDIn makes a service ID inside a transaction, for the server
// itself: it asks for no right.
func (s *Service) CreateServiceIDIn(ctx context.Context, tx store.Tx, checked valid.Of[NewServiceID]) (*ServiceID, *APIKey,
	secret.Value, error) {
	n := checked.Value()
	svc := &ServiceID{
		Meta:   store.Meta{Account: n.Account, ID: s.ids.New(id.ServiceID), Parent: n.Group, Name: n.Name, Description: n.Description},
		Locked: n.Locked, UniqueInstanceCRNs: append([]string{}, n.UniqueInstanceCRNs...),
	}
	svc.Owner = id.IAMOf(svc.ID)
	var key *APIKey
	var value secret.Value
	if n.Key != nil {
		k := *n.Key
		k.IAMID, k.Account = svc.Owner, n.Account
		var err error
		if key, value, err = s.newKey(&k); err != nil {
			return nil, nil, value, err
		}
		key.GroupID = n.Group
	}
	if err := s.storeServiceID(ctx, tx, svc, n.Group); err != nil || key == nil {
		return svc, key, value, err
	}
	return svc, key, value, s.storeKey(ctx, tx, key)
}

// storeServiceID stores a new service ID in a group, "" for the default one.
func (s *Service) storeServiceID(ctx context.Context, tx store.Tx, svc *ServiceID, group string) error {
	if group != "" {
		if _, err := findIn(ctx, tx, ServiceIDGroups, whatGroup, svc.Account, group); err != nil {
			return err
		}
	}
	count, err := countGroup(ctx, tx, svc.Account, group)
	if err != nil {
		return err
	}
	warning, err := within("Service IDs", "in account "+svc.Account, count, s.limits.ServiceIDsPerGroup)
	if err != nil {
		return err
	}
	if err := ServiceIDs.Create(ctx, tx, svc, serviceID.created(&svc.Meta, warning)); err != nil {
		return fmt.Errorf("storing service ID: %w", err)
	}
	return nil
}

// countGroup counts the service IDs of a group. Those of the default group
// have no parent to select by, so they are what is left over.
func countGroup(ctx context.Context, r store.Reader, account, group string) (int, error) {
	total, err := ServiceIDs.Count(ctx, r, store.Query{Account: account, Parent: group})
	if err != nil || group != "" {
		return total, err
	}
	groups, err := ServiceIDGroups.List(ctx, r, store.Query{Account: account})
	if err != nil {
		return 0, fmt.Errorf("listing groups: %w", err)
	}
	for _, g := range groups {
		n, err := ServiceIDs.Count(ctx, r, store.Query{Account: account, Parent: g.ID})
		if err != nil {
			return 0, fmt.Errorf("counting service IDs: %w", err)
		}
		total -= n
	}
	return total, nil
}

// CRN is the service ID's resource name.
func (v *ServiceID) CRN() string { return crn.Of("iam-identity", v.Account, "serviceid", v.ID) }

// ServiceID gives a service ID by its id, whatever its account, or fault.NotFound.
func (s *Service) ServiceID(ctx context.Context, objectID string) (*ServiceID, error) {
	return find(ctx, s, ServiceIDs, whatServiceID, objectID)
}

// ServiceIDChange holds the properties to change; nil leaves one as it is.
type ServiceIDChange struct {
	Name, Description  *string
	UniqueInstanceCRNs *[]string
}

// Validate checks what can be checked without the store.
func (c ServiceIDChange) Validate() error {
	if err := described(c.Name, c.Description); err != nil {
		return err
	}
	if c.UniqueInstanceCRNs == nil {
		return nil
	}
	return checkInstances(*c.UniqueInstanceCRNs)
}

// UpdateServiceID changes a service ID that was found. Errors: fault.Stale,
// fault.Conflict when it is locked, store.ErrMoved.
func (s *Service) UpdateServiceID(ctx context.Context, found *ServiceID, ifMatch string,
	checked valid.Of[ServiceIDChange]) (*ServiceID, error) {
	return ServiceIDs.Edit(ctx, s.db, found, func(_ store.Tx, v *ServiceID) (store.Event, error) {
		if err := v.Match(ifMatch); err != nil {
			return store.Event{}, err
		}
		if v.Locked {
			return store.Event{}, locked("update", whatServiceID, v.ID)
		}
		c := checked.Value()
		var done changes
		set(&done, "name", &v.Name, c.Name)
		set(&done, "description", &v.Description, c.Description)
		if c.UniqueInstanceCRNs != nil && !slices.Equal(v.UniqueInstanceCRNs, *c.UniqueInstanceCRNs) {
			v.UniqueInstanceCRNs = append([]string{}, *c.UniqueInstanceCRNs...)
			done = append(done, "unique_instance_crns")
		}
		return serviceID.updated(&v.Meta, done, requestData{InstanceName: v.Name, PrevInstanceName: found.Name}), nil
	})
}

// LockServiceID locks or unlocks a service ID that was found; it is no error
// when it is so already.
func (s *Service) LockServiceID(ctx context.Context, found *ServiceID, lock bool) (*ServiceID, error) {
	return ServiceIDs.Edit(ctx, s.db, found, func(_ store.Tx, v *ServiceID) (store.Event, error) {
		if v.Locked == lock {
			return store.Event{}, store.ErrUnchanged
		}
		v.Locked = lock
		return serviceID.updated(&v.Meta, []string{"locked"}, requestData{Lock: &lock}), nil
	})
}

// DeleteServiceID removes a service ID that was found and all its API keys, or
// nothing. Errors: fault.Conflict when it or one of its keys is locked,
// store.ErrMoved.
func (s *Service) DeleteServiceID(ctx context.Context, v *ServiceID) error {
	return ServiceIDs.Remove(ctx, s.db, v, func(tx store.Tx) (store.Event, error) {
		if v.Locked {
			return store.Event{}, locked("delete", whatServiceID, v.ID)
		}
		keys, err := APIKeys.List(ctx, tx, store.Query{Account: v.Account, Owner: v.Owner})
		if err != nil {
			return store.Event{}, fmt.Errorf("listing API keys: %w", err)
		}
		for _, key := range keys {
			if key.Locked {
				return store.Event{}, &fault.Error{Kind: fault.Conflict, Code: "delete_not_possible", Number: "BXNIM0105E",
					Message: "Unable to delete object",
					Details: fmt.Sprintf("Object type '%s' of '%s' could not be deleted: '%s' is locked.", whatAPIKey, v.ID, key.ID)}
			}
			if err := APIKeys.Delete(ctx, tx, key, key.object().deleted(&key.Meta)); err != nil {
				return store.Event{}, fmt.Errorf("deleting API key: %w", err)
			}
		}
		return serviceID.deleted(&v.Meta), s.departed(ctx, tx, v.Account, v.Owner)
	})
}

var serviceIDList = listKind{
	name: "serviceids",
	sorts: map[string]store.Order{"name": store.ByName, "description": store.ByDescription, "created_at": store.ByCreated,
		"modified_at": store.ByModified},
	attributes: []string{"id", "name", "description", "created_at", "created_by", "modified_at", "iam_id", "locked"},
}

// ServiceIDListing checks the query of a list of service IDs and completes it
// from its page token.
func (s *Service) ServiceIDListing(q ListQuery) (*Listing[ServiceID], error) {
	return open[ServiceID](s, serviceIDList, q)
}

// ListServiceIDs lists the service IDs of a group of an account, "" being the
// default group.
func (s *Service) ListServiceIDs(ctx context.Context, l *Listing[ServiceID]) (*Page[ServiceID], error) {
	q := l.query
	return read(ctx, s, l, ServiceIDs, store.Query{Parent: q.Group, Name: q.Name}, func(v *ServiceID) bool {
		return v.Parent == q.Group && l.filter.Match(func(name string) string {
			switch name {
			case "iam_id":
				return v.Owner
			case "locked":
				return strconv.FormatBool(v.Locked)
			}
			return attribute(&v.Meta, name)
		})
	})
}
