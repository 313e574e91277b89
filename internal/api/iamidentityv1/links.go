package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
)

// What is said of a profile that was found.
type (
	linkSpec = httpapi.Given[*identity.Profile, identity.LinkSpec]
	linkKey  = httpapi.Given[*identity.Profile, identity.LinkKey]
)

func (a *API) linkRows() []httpapi.Operation {
	const all, one = "/v1/profiles/{profile_id}/links", "/v1/profiles/{profile_id}/links/{link_id}"
	return httpapi.Table(Family,
		httpapi.Op[createLinkIn, linkSpec, Link]{ID: "create_link", Method: "POST", Path: all, Status: 201,
			Action: updateProfile, Find: httpapi.Checking(createLinkIn.spec, findProfile[createLinkIn](a)), Do: a.createLink},
		httpapi.Op[profileRef, *identity.Profile, LinkList]{ID: "list_links", Method: "GET", Path: all, Status: 200,
			Action: readProfile, Find: findProfile[profileRef](a), Do: a.listLinks},
		httpapi.Op[deleteLinkToIn, linkKey, httpapi.None]{ID: "delete_link_by_parameters",
			Method: "DELETE", Path: all, Status: 204,
			Action: updateProfile, Find: httpapi.Checking(deleteLinkToIn.spec, findProfile[deleteLinkToIn](a)), Do: a.deleteLinkTo},
		httpapi.Op[linkRef, *identity.Profile, Link]{ID: "get_link", Method: "GET", Path: one, Status: 200,
			Action: readProfile, Find: findProfile[linkRef](a), Do: a.getLink},
		httpapi.Op[linkRef, *identity.Profile, httpapi.None]{ID: "delete_link", Method: "DELETE", Path: one, Status: 204,
			Action: updateProfile, Find: findProfile[linkRef](a), Do: a.deleteLink},
	)
}

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

func (in createLinkIn) spec() identity.LinkSpec {
	return identity.LinkSpec{
		Name: in.Body.Name, CRType: in.Body.CRType, IsCrossAccount: in.Body.IsCrossAccount, Resource: identity.Resource(in.Body.Link),
	}
}

func (a *API) createLink(ctx context.Context, c *httpapi.Call, _ *createLinkIn, g linkSpec) (*Link, error) {
	link, err := a.ids.CreateLink(ctx, g.Found, g.Spec)
	return httpapi.Shown(c, link, err, wireLink)
}

func (a *API) listLinks(ctx context.Context, _ *httpapi.Call, _ *profileRef, p *identity.Profile) (*LinkList, error) {
	links, err := a.ids.Links(ctx, p)
	return &LinkList{Links: lists.Map(links, wireLink)}, err
}

// linkRef names a link in the path; the decision is on its profile.
type linkRef struct {
	profileRef
	LinkID string `path:"link_id"`
}

func (a *API) getLink(ctx context.Context, c *httpapi.Call, in *linkRef, p *identity.Profile) (*Link, error) {
	link, err := a.ids.Link(ctx, p, in.LinkID)
	return httpapi.Shown(c, link, err, wireLink)
}

func (a *API) deleteLink(ctx context.Context, _ *httpapi.Call, in *linkRef, p *identity.Profile) (*httpapi.None, error) {
	return nil, a.ids.DeleteLink(ctx, p, in.LinkID)
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

func (in deleteLinkToIn) spec() identity.LinkKey {
	return identity.LinkKey{CRType: in.Type, Resource: identity.Resource{
		CRN: in.CRN, Namespace: in.Namespace, Name: in.Name, ComponentType: in.ComponentType, ComponentName: in.ComponentName}}
}

func (a *API) deleteLinkTo(ctx context.Context, _ *httpapi.Call, _ *deleteLinkToIn, g linkKey) (*httpapi.None, error) {
	return nil, a.ids.DeleteLinkTo(ctx, g.Found, g.Spec)
}
