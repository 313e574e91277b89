package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

// Link is the answer that shows a link to a compute resource.
type Link struct {
	ID             string   `json:"id"`
	EntityTag      string   `json:"entity_tag"`
	CreatedAt      string   `json:"created_at"`
	ModifiedAt     string   `json:"modified_at"`
	Name           string   `json:"name,omitempty"`
	CRType         string   `json:"cr_type"`
	IsCrossAccount bool     `json:"is_cross_account,omitempty"`
	Link           Resource `json:"link"`
}

// Resource names a compute resource.
type Resource struct {
	CRN           string `json:"crn"`
	Namespace     string `json:"namespace,omitempty"`
	Name          string `json:"name,omitempty"`
	ComponentType string `json:"component_type,omitempty"`
	ComponentName string `json:"component_name,omitempty"`
}

func wireLink(l *identity.Link) *Link {
	return &Link{
		ID: l.ID, EntityTag: l.Tag, CreatedAt: stamp(l.CreatedAt), ModifiedAt: stamp(l.ModifiedAt), Name: l.Name,
		CRType: l.CRType, IsCrossAccount: l.IsCrossAccount, Link: Resource(l.Resource),
	}
}

// LinkList holds the links of a profile.
type LinkList struct {
	Links []*Link `json:"links"`
}

type createLinkIn struct {
	profileRef
	Body struct {
		Name           string   `json:"name"`
		CRType         string   `json:"cr_type"`
		IsCrossAccount bool     `json:"is_cross_account"`
		Link           Resource `json:"link"`
	}
}

func (in *createLinkIn) spec() identity.LinkSpec {
	return identity.LinkSpec{
		Name: in.Body.Name, CRType: in.Body.CRType, IsCrossAccount: in.Body.IsCrossAccount, Resource: identity.Resource(in.Body.Link),
	}
}

// Validate checks the body.
func (in *createLinkIn) Validate() error {
	spec := in.spec()
	return spec.Validate()
}

func (a *API) createLink(ctx context.Context, c *httpapi.Call, in *createLinkIn) (*Link, error) {
	link, err := a.ids.CreateLink(ctx, in.ProfileID, in.spec())
	if err != nil {
		return nil, err
	}
	c.SetETag(link.Tag)
	return wireLink(link), nil
}

func (a *API) listLinks(ctx context.Context, _ *httpapi.Call, in *profileRef) (*LinkList, error) {
	links, err := a.ids.Links(ctx, in.ProfileID)
	if err != nil {
		return nil, err
	}
	out := &LinkList{Links: make([]*Link, len(links))}
	for i, l := range links {
		out.Links[i] = wireLink(l)
	}
	return out, nil
}

// linkRef names a link in the path; the decision is on its profile.
type linkRef struct {
	profileRef
	LinkID string `path:"link_id"`
}

func (a *API) getLink(ctx context.Context, c *httpapi.Call, in *linkRef) (*Link, error) {
	link, err := a.ids.Link(ctx, in.ProfileID, in.LinkID)
	if err != nil {
		return nil, err
	}
	c.SetETag(link.Tag)
	return wireLink(link), nil
}

func (a *API) deleteLink(ctx context.Context, _ *httpapi.Call, in *linkRef) (*done, error) {
	return nil, a.ids.DeleteLink(ctx, in.ProfileID, in.LinkID)
}

type deleteLinkToIn struct {
	profileRef
	Type          string `query:"type"`
	CRN           string `query:"crn"`
	Namespace     string `query:"namespace"`
	Name          string `query:"name"`
	ComponentType string `query:"component_type"`
	ComponentName string `query:"component_name"`
}

func (in *deleteLinkToIn) resource() identity.Resource {
	return identity.Resource{CRN: in.CRN, Namespace: in.Namespace, Name: in.Name, ComponentType: in.ComponentType, ComponentName: in.ComponentName}
}

// Validate checks the parameters.
func (in *deleteLinkToIn) Validate() error { return identity.CheckLinkKey(in.Type, in.resource()) }

func (a *API) deleteLinkTo(ctx context.Context, _ *httpapi.Call, in *deleteLinkToIn) (*done, error) {
	return nil, a.ids.DeleteLinkTo(ctx, in.ProfileID, in.Type, in.resource())
}
