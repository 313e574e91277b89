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

// resourceAccount gives the account of a resource's CRN, "" when it is no CRN
// of a resource in an account.
func resourceAccount(text string) string {
	c, err := crn.Parse(text)
	if err != nil {
		return ""
	}
	return c.Account()
}

// LinkSpec is what a client says of a link.
type LinkSpec struct {
	Name           string
	CRType         string
	IsCrossAccount bool
	Resource       Resource
}

// Validate checks what can be checked without the store.
func (l LinkSpec) Validate() error {
	if l.CRType == "" {
		return fault.Missing("cr_type")
	}
	if err := oneOf("cr_type", l.CRType, computeTypes...); err != nil {
		return err
	}
	if err := text("name", l.Name, maxName); err != nil {
		return err
	}
	return l.Resource.validate(l.CRType)
}

// identifying gives the properties of a resource that tell one of a type from
// another, beside its CRN; clients send others too, which say nothing.
func (r *Resource) identifying(crType string) map[string]*string {
	switch crType {
	case IKSServiceAcct, ROKSServiceAcc:
		return map[string]*string{"namespace": &r.Namespace, "name": &r.Name}
	case CodeEngine:
		return map[string]*string{"component_type": &r.ComponentType, "component_name": &r.ComponentName}
	}
	return nil
}

func (r *Resource) validate(crType string) error {
	if err := required("link.crn", r.CRN, maxID); err != nil {
		return err
	}
	if resourceAccount(r.CRN) == "" {
		return fault.Field("link.crn", "Property 'link.crn' is not the CRN of a resource of an account.")
	}
	needed := r.identifying(crType)
	for field, value := range map[string]*string{"namespace": &r.Namespace, "name": &r.Name, "component_type": &r.ComponentType,
		"component_name": &r.ComponentName} {
		if _, need := needed[field]; need && strings.TrimSpace(*value) == "" {
			return fault.Missing("link." + field)
		}
		if err := text("link."+field, *value, maxName); err != nil {
			return err
		}
	}
	return nil
}

// CreateLink lets a compute resource assume a profile that was found. The
// resource need not exist. Errors: fault.Invalid for a resource of another
// account that is not declared as such; fault.Conflict when the profile has this
// link; fault.Limit; fault.Forbidden when the profile is an enterprise's that
// lets the account add no identities, because a link is a trusted identity of
// another kind; store.ErrMoved.
func (s *Service) CreateLink(ctx context.Context, p *Profile, checked valid.Of[LinkSpec]) (*Link, error) {
	spec := checked.Value()
	link := &Link{
		Meta:   store.Meta{Account: p.Account, ID: s.ids.New(id.Link), Parent: p.ID, Name: spec.Name},
		CRType: spec.CRType, IsCrossAccount: spec.IsCrossAccount, Resource: spec.Resource,
	}
	err := s.inProfile(ctx, p, func(tx store.Tx) error {
		if !p.mayAdd(p.Controls.Identities) {
			return closed(p, "links")
		}
		if !spec.IsCrossAccount && resourceAccount(spec.Resource.CRN) != p.Account {
			return fault.Field("link.crn",
				"Property 'link.crn' names a resource of another account than the profile's, and 'is_cross_account' is not true.")
		}
		links, err := Links.List(ctx, tx, partsOf(p))
		if err != nil {
			return fmt.Errorf("listing links: %w", err)
		}
		if other := linkTo(links, link.CRType, &link.Resource); other != nil {
			return fault.New(fault.Conflict, "The profile has a link to this compute resource already: '%s'.", other.ID)
		}
		if _, err := within("links", "in trusted profile "+p.ID, len(links), s.limits.LinksPerProfile); err != nil {
			return err
		}
		total, err := Links.Count(ctx, tx, store.Query{Account: p.Account})
		if err != nil {
			return fmt.Errorf("counting links: %w", err)
		}
		if _, err := within("links", "in account "+p.Account, total, s.limits.Links); err != nil {
			return err
		}
		return Links.Create(ctx, tx, link, partOf(p, "links"))
	})
	if err != nil {
		return nil, err
	}
	return link, nil
}

// linkTo gives the link of a list to a compute resource, nil if there is none.
func linkTo(links []*Link, crType string, r *Resource) *Link {
	for _, l := range links {
		if l.CRType == crType && l.Resource.same(r, crType) {
			return l
		}
	}
	return nil
}

// same tells whether two resources of a type are one.
func (r *Resource) same(other *Resource, crType string) bool {
	if r.CRN != other.CRN {
		return false
	}
	theirs := other.identifying(crType)
	for field, mine := range r.identifying(crType) {
		if *mine != *theirs[field] {
			return false
		}
	}
	return true
}

// Links gives the links of a profile, oldest first.
func (s *Service) Links(ctx context.Context, p *Profile) ([]*Link, error) {
	return Links.List(ctx, s.db.Direct(), partsOf(p))
}

// Link gives a link of a profile, or fault.NotFound.
func (s *Service) Link(ctx context.Context, p *Profile, linkID string) (*Link, error) {
	return part(ctx, s.db.Direct(), Links, whatLink, p, linkID)
}

// DeleteLink removes a link of a profile that was found. Errors: fault.NotFound
// for the link, store.ErrMoved.
func (s *Service) DeleteLink(ctx context.Context, p *Profile, linkID string) error {
	return s.inProfile(ctx, p, func(tx store.Tx) error {
		link, err := part(ctx, tx, Links, whatLink, p, linkID)
		if err != nil {
			return err
		}
		return Links.Delete(ctx, tx, link, partOf(p, "links"))
	})
}

// LinkKey names a link by what it links.
type LinkKey struct {
	CRType   string
	Resource Resource
}

// Validate checks what can be checked without the store.
func (k LinkKey) Validate() error {
	if k.CRType == "" {
		return fault.Missing("type")
	}
	if err := oneOf("type", k.CRType, computeTypes...); err != nil {
		return err
	}
	return required("crn", k.Resource.CRN, maxID)
}

// DeleteLinkTo removes the link to a compute resource of a profile that was
// found. Errors: fault.NotFound for the link, store.ErrMoved.
func (s *Service) DeleteLinkTo(ctx context.Context, p *Profile, checked valid.Of[LinkKey]) error {
	k := checked.Value()
	return s.inProfile(ctx, p, func(tx store.Tx) error {
		links, err := Links.List(ctx, tx, partsOf(p))
		if err != nil {
			return fmt.Errorf("listing links: %w", err)
		}
		link := linkTo(links, k.CRType, &k.Resource)
		if link == nil {
			return fault.NoObject(whatLink, clip(k.Resource.CRN))
		}
		return Links.Delete(ctx, tx, link, partOf(p, "links"))
	})
}
