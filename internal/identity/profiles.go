package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// NewProfile says what trusted profile to make.
type NewProfile struct{ Account, Name, Description, Email string }

// Validate checks what can be checked without the store.
func (n NewProfile) Validate() error {
	if err := CheckAccount("account_id", n.Account); err != nil {
		return err
	}
	if err := required("name", n.Name, maxName); err != nil {
		return err
	}
	if err := text("description", n.Description, maxDescription); err != nil {
		return err
	}
	return checkEmail(n.Email)
}

func checkEmail(email string) error {
	if email == "" {
		return nil
	}
	if local, domain, ok := strings.Cut(email, "@"); !ok || local == "" || domain == "" || strings.ContainsAny(email, " \t") {
		return fault.Field("email", "Property 'email' is not an e-mail address.")
	}
	return text("email", email, maxEmail)
}

// CRN is the profile's resource name.
func (p *Profile) CRN() string { return crn.Of("iam-identity", p.Account, profile.crnType, p.ID) }

// CreateProfile makes a profile and its empty list of trusted identities.
// Errors: fault.Conflict when the account has one of this name, fault.Limit.
func (s *Service) CreateProfile(ctx context.Context, checked valid.Of[NewProfile]) (*Profile, error) {
	n := checked.Value()
	p := &Profile{
		Meta:  store.Meta{Account: n.Account, ID: s.ids.New(id.Profile), Name: n.Name, Description: n.Description},
		Email: n.Email,
	}
	p.Owner = id.IAMOf(p.ID)
	err := s.db.Update(ctx, func(tx store.Tx) error {
		count, err := Profiles.Count(ctx, tx, store.Query{Account: n.Account})
		if err != nil {
			return fmt.Errorf("counting profiles: %w", err)
		}
		warning, err := within("trusted profiles", "in account "+n.Account, count, s.limits.Profiles)
		if err != nil {
			return err
		}
		if err := Profiles.Create(ctx, tx, p, profile.created(&p.Meta, warning)); err != nil {
			return nameTaken(err, whatProfile, n.Name)
		}
		head := &TrustList{store.Meta{Account: p.Account, ID: p.ID, Parent: p.ID}}
		return TrustLists.Create(ctx, tx, head, store.Silent)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Profile gives a profile by its id, whatever its account, or fault.NotFound.
func (s *Service) Profile(ctx context.Context, profileID string) (*Profile, error) {
	return find(ctx, s, Profiles, whatProfile, profileID)
}

// ProfileChange holds the properties to change; nil leaves one as it is.
type ProfileChange struct{ Name, Description, Email *string }

// Validate checks what can be checked without the store.
func (c ProfileChange) Validate() error {
	if err := described(c.Name, c.Description); err != nil {
		return err
	}
	if c.Email == nil {
		return nil
	}
	return checkEmail(*c.Email)
}

// UpdateProfile changes a profile that was found. Errors: fault.Stale,
// fault.Forbidden when it is an enterprise's, fault.Conflict for the name,
// store.ErrMoved.
func (s *Service) UpdateProfile(ctx context.Context, found *Profile, ifMatch string, checked valid.Of[ProfileChange]) (*Profile, error) {
	name := found.Name
	p, err := Profiles.Edit(ctx, s.db, found, func(_ store.Tx, p *Profile) (store.Event, error) {
		if err := p.Match(ifMatch); err != nil {
			return store.Event{}, err
		}
		if p.Template != "" {
			return store.Event{}, managedBy(p.Template)
		}
		c := checked.Value()
		var done changes
		set(&done, "name", &p.Name, c.Name)
		set(&done, "description", &p.Description, c.Description)
		set(&done, "email", &p.Email, c.Email)
		name = p.Name
		return profile.updated(&p.Meta, done, requestData{InstanceName: p.Name, PrevInstanceName: found.Name}), nil
	})
	return p, nameTaken(err, whatProfile, name)
}

// DeleteProfile removes a profile that was found with its rules, links, trusted
// identities and preferences. Errors: fault.Forbidden when it is an
// enterprise's, store.ErrMoved.
func (s *Service) DeleteProfile(ctx context.Context, p *Profile) error {
	return Profiles.Remove(ctx, s.db, p, func(tx store.Tx) (store.Event, error) {
		if p.Template != "" {
			return store.Event{}, managedBy(p.Template)
		}
		return profile.deleted(&p.Meta), s.deleteParts(ctx, tx, p)
	})
}

// deleteParts removes all that is part of a profile.
func (s *Service) deleteParts(ctx context.Context, tx store.Tx, p *Profile) error {
	parts := partsOf(p)
	for _, remove := range []func() error{
		func() error { return deleteAll(ctx, tx, Rules, parts) },
		func() error { return deleteAll(ctx, tx, Links, parts) },
		func() error { return deleteAll(ctx, tx, Trusts, parts) },
		func() error { return deleteAll(ctx, tx, TrustLists, parts) },
		func() error { return deleteAll(ctx, tx, Preferences, parts) },
		func() error { return s.departed(ctx, tx, p.Account, p.Owner) },
	} {
		if err := remove(); err != nil {
			return err
		}
	}
	return nil
}

// deleteAll deletes the objects of a query as part of a larger deletion.
func deleteAll[T any](ctx context.Context, tx store.Tx, c *store.Collection[T], q store.Query) error {
	objects, err := c.List(ctx, tx, q)
	if err != nil {
		return fmt.Errorf("listing %s: %w", c.Kind(), err)
	}
	for _, obj := range objects {
		if err := c.Delete(ctx, tx, obj, store.Silent); err != nil {
			return fmt.Errorf("deleting %s: %w", c.Kind(), err)
		}
	}
	return nil
}

var profileList = listKind{
	name: "profiles",
	sorts: map[string]store.Order{"name": store.ByName, "description": store.ByDescription, "created_at": store.ByCreated,
		"modified_at": store.ByModified},
	attributes: []string{"id", "name", "description", "created_at", "created_by", "modified_at", "iam_id", "email", "template_id",
		"assignment_id"},
}

// ProfileListing checks the query of a list of profiles and completes it from
// its page token.
func (s *Service) ProfileListing(q ListQuery) (*Listing[Profile], error) {
	return open[Profile](s, profileList, q)
}

// ListProfiles lists the profiles of an account.
func (s *Service) ListProfiles(ctx context.Context, l *Listing[Profile]) (*Page[Profile], error) {
	var keep func(*Profile) bool
	if l.filter != nil {
		keep = func(p *Profile) bool { return l.filter.Match(p.attribute) }
	}
	return read(ctx, s, l, Profiles, store.Query{Name: l.query.Name}, keep)
}

func (p *Profile) attribute(name string) string {
	switch name {
	case "iam_id":
		return p.Owner
	case "email":
		return p.Email
	case "template_id":
		return p.Template
	case "assignment_id":
		return p.Assignment
	}
	return attribute(&p.Meta, name)
}

// inProfile changes parts of a profile that was found, while it stays as it is.
func (s *Service) inProfile(ctx context.Context, p *Profile, change func(store.Tx) error) error {
	return s.db.Update(ctx, func(tx store.Tx) error {
		if err := Profiles.Hold(ctx, tx, p); err != nil {
			return err
		}
		return change(tx)
	})
}

// partsOf selects the parts of a profile, oldest first.
func partsOf(p *Profile) store.Query { return store.Query{Account: p.Account, Parent: p.ID} }

// part reads one part of a profile.
func part[T any](ctx context.Context, r store.Reader, c *store.Collection[T], what string, p *Profile, partID string) (*T, error) {
	obj, err := findIn(ctx, r, c, what, p.Account, partID)
	if err == nil && any(obj).(store.Entity).Base().Parent != p.ID {
		return nil, fault.NoObject(what, partID)
	}
	return obj, err
}
