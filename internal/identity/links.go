package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
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
func (l *LinkSpec) Validate() error {
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
	for field, value := range map[string]*string{"namespace": &r.Namespace, "name": &r.Name, "component_type": &r.ComponentType, "component_name": &r.ComponentName} {
		if _, need := needed[field]; need && strings.TrimSpace(*value) == "" {
			return fault.Missing("link." + field)
		}
		if err := text("link."+field, *value, maxName); err != nil {
			return err
		}
	}
	return nil
}

// CreateLink lets a compute resource assume a profile. The resource need not
// exist. Errors: fault.Invalid, also for a resource of another account that is
// not declared as such; fault.NotFound for the profile; fault.Conflict when
// the profile has this link; fault.Limit; fault.Forbidden when the profile is
// an enterprise's that lets the account add no identities, because a link is a
// trusted identity of another kind.
func (s *Service) CreateLink(ctx context.Context, profileID string, spec LinkSpec) (*Link, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	link := &Link{
		Meta:   store.Meta{ID: s.IDs.New(id.Link), Parent: profileID, Name: spec.Name},
		CRType: spec.CRType, IsCrossAccount: spec.IsCrossAccount, Resource: spec.Resource,
	}
	err := s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := find(ctx, tx, Profiles, whatProfile, profileID)
		if err != nil {
			return err
		}
		if !p.mayAdd(p.Controls.Identities) {
			return closed(p, "links")
		}
		if !spec.IsCrossAccount && resourceAccount(spec.Resource.CRN) != p.Account {
			return fault.Field("link.crn", "Property 'link.crn' names a resource of another account than the profile's, and 'is_cross_account' is not true.")
		}
		links, err := Links.List(ctx, tx, store.Query{Account: p.Account, Parent: p.ID})
		if err != nil {
			return fmt.Errorf("listing links: %w", err)
		}
		for _, other := range links {
			if other.CRType == link.CRType && other.Resource.same(&link.Resource, link.CRType) {
				return fault.New(fault.Conflict, "The profile has a link to this compute resource already: '%s'.", other.ID)
			}
		}
		if _, err := within("links", "in trusted profile "+p.ID, len(links), s.Limits.LinksPerProfile); err != nil {
			return err
		}
		total, err := Links.Count(ctx, tx, store.Query{Account: p.Account})
		if err != nil {
			return fmt.Errorf("counting links: %w", err)
		}
		if _, err := within("links", "in account "+p.Account, total, s.Limits.Links); err != nil {
			return err
		}
		link.Account = p.Account
		return Links.Create(ctx, tx, link, partOf(p, "links"))
	})
	if err != nil {
		return nil, err
	}
	return link, nil
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
func (s *Service) Links(ctx context.Context, profileID string) ([]*Link, error) {
	return parts(ctx, s, Links, profileID)
}

// Link gives a link. Errors: fault.NotFound for profile or link.
func (s *Service) Link(ctx context.Context, profileID, linkID string) (link *Link, err error) {
	err = s.DB.View(ctx, func(r store.Reader) error {
		p, err := find(ctx, r, Profiles, whatProfile, profileID)
		if err != nil {
			return err
		}
		link, err = part(ctx, r, Links, whatLink, p, linkID)
		return err
	})
	return link, err
}

// DeleteLink removes a link. Errors: fault.NotFound for profile or link.
func (s *Service) DeleteLink(ctx context.Context, profileID, linkID string) error {
	return s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := find(ctx, tx, Profiles, whatProfile, profileID)
		if err != nil {
			return err
		}
		link, err := part(ctx, tx, Links, whatLink, p, linkID)
		if err != nil {
			return err
		}
		return Links.Delete(ctx, tx, link, partOf(p, "links"))
	})
}

// CheckLinkKey checks the parameters that name a link by what it links.
func CheckLinkKey(crType string, r Resource) error {
	if crType == "" {
		return fault.Missing("type")
	}
	if err := oneOf("type", crType, computeTypes...); err != nil {
		return err
	}
	return required("crn", r.CRN, maxID)
}

// DeleteLinkTo removes the link of a profile to a compute resource. Errors:
// fault.Invalid, fault.NotFound for profile or link.
func (s *Service) DeleteLinkTo(ctx context.Context, profileID, crType string, r Resource) error {
	if err := CheckLinkKey(crType, r); err != nil {
		return err
	}
	return s.DB.Update(ctx, func(tx store.Tx) error {
		p, err := find(ctx, tx, Profiles, whatProfile, profileID)
		if err != nil {
			return err
		}
		links, err := Links.List(ctx, tx, store.Query{Account: p.Account, Parent: p.ID})
		if err != nil {
			return fmt.Errorf("listing links: %w", err)
		}
		for _, link := range links {
			if link.CRType == crType && link.Resource.same(&r, crType) {
				return Links.Delete(ctx, tx, link, partOf(p, "links"))
			}
		}
		return fault.NoObject(whatLink, clip(r.CRN))
	})
}
