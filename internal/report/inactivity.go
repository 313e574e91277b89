package report

import (
	"context"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/store"
)

// Inactivity holds the identities that were not authenticated in a time. All
// of its lists are by id.
type Inactivity struct {
	Users      []User   `json:"users"`
	APIKeys    []Key    `json:"apikeys"`
	ServiceIDs []Entity `json:"serviceids"`
	Profiles   []Entity `json:"profiles"`
}

// User is a user of the account.
type User struct {
	IAMID string    `json:"iam_id"`
	Name  string    `json:"name,omitempty"`
	Email string    `json:"email,omitempty"`
	Last  time.Time `json:"last,omitzero"` // last authentication; zero: never
}

// Entity is a service ID or a profile.
type Entity struct {
	ID   string    `json:"id"`
	Name string    `json:"name,omitempty"`
	Last time.Time `json:"last,omitzero"`
}

// Key is an API key with whom it belongs to: exactly one of User and ServiceID
// is set. Their Last is not.
type Key struct {
	Entity
	User      *User   `json:"user,omitempty"`
	ServiceID *Entity `json:"serviceid,omitempty"`
}

// inactive finds the identities of an account that were not authenticated
// since a time.
func (s *Service) inactive(ctx context.Context, accountID string, since time.Time) (*Inactivity, error) {
	last, err := s.lastSeen(ctx, accountID)
	if err != nil {
		return nil, err
	}
	out := &Inactivity{Users: []User{}, APIKeys: []Key{}, ServiceIDs: []Entity{}, Profiles: []Entity{}}
	silent := func(subject string) bool { return last[subject].Before(since) } // never is the zero time
	err = s.db.View(ctx, func(r store.Reader) error {
		q := store.Query{Account: accountID, Order: store.ByID}
		users, err := account.Users.List(ctx, r, q)
		if err != nil {
			return fmt.Errorf("listing users: %w", err)
		}
		services, err := identity.ServiceIDs.List(ctx, r, q)
		if err != nil {
			return fmt.Errorf("listing service IDs: %w", err)
		}
		profiles, err := identity.Profiles.List(ctx, r, q)
		if err != nil {
			return fmt.Errorf("listing profiles: %w", err)
		}
		keys, err := identity.APIKeys.List(ctx, r, q)
		if err != nil {
			return fmt.Errorf("listing API keys: %w", err)
		}
		people, machines := map[string]User{}, map[string]string{}
		for _, u := range users {
			people[u.ID] = User{IAMID: u.ID, Name: u.Name, Email: u.Email}
			if silent(u.ID) {
				out.Users = append(out.Users, User{u.ID, u.Name, u.Email, last[u.ID]})
			}
		}
		for _, v := range services {
			machines[v.ID] = v.Name
			if silent(v.ID) {
				out.ServiceIDs = append(out.ServiceIDs, Entity{v.ID, v.Name, last[v.ID]})
			}
		}
		for _, p := range profiles {
			if silent(p.ID) {
				out.Profiles = append(out.Profiles, Entity{p.ID, p.Name, last[p.ID]})
			}
		}
		for _, k := range keys {
			if silent(k.ID) {
				out.APIKeys = append(out.APIKeys, keyOf(k, last[k.ID], people, machines))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// lastSeen gives the last authentication of each subject that had one.
func (s *Service) lastSeen(ctx context.Context, accountID string) (map[string]time.Time, error) {
	list, err := s.activity.ListActivity(ctx, accountID)
	if err != nil {
		return nil, fmt.Errorf("reading activity: %w", err)
	}
	last := make(map[string]time.Time, len(list))
	for _, a := range list {
		last[a.Subject] = a.Last
	}
	return last, nil
}

func keyOf(k *identity.APIKey, last time.Time, people map[string]User, machines map[string]string) Key {
	out := Key{Entity: Entity{k.ID, k.Name, last}}
	if k.IsUser() {
		u, ok := people[k.Owner]
		if !ok {
			u = User{IAMID: k.Owner}
		}
		out.User = &u
		return out
	}
	serviceID, _ := id.OfIAM(k.Owner)
	out.ServiceID = &Entity{ID: serviceID, Name: machines[serviceID]}
	return out
}
