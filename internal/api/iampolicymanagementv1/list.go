package iampolicymanagementv1

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

// listIn holds the filters of both policy lists.
type listIn struct {
	AccountID      string `query:"account_id"`
	IAMID          string `query:"iam_id"`
	AccessGroupID  string `query:"access_group_id"`
	Type           string `query:"type"`
	ServiceType    string `query:"service_type"`
	ServiceName    string `query:"service_name"`
	ServiceGroupID string `query:"service_group_id"`
	TagName        string `query:"tag_name"`
	TagValue       string `query:"tag_value"`
	Sort           string `query:"sort"`
	Format         string `query:"format"`
	State          string `query:"state"`
	Limit          *int   `query:"limit"`
	Start          string `query:"start"`
}

// sortKeys are the documented fields to sort by.
var sortKeys = []string{"id", "type", "href", "created_at", "created_by_id", "last_modified_at", "last_modified_by_id", "state", "last_permit_at", "last_permit_frequency"}

// maxLimit is the largest page; the official limit is not public.
const maxLimit = 100

// Validate checks the filters.
func (in *listIn) Validate() error {
	if err := checkAccount(in.AccountID); err != nil {
		return err
	}
	for _, c := range []struct {
		name, value string
		allowed     []string
	}{
		{"type", in.Type, []string{"access", "authorization"}},
		{"service_type", in.ServiceType, []string{policy.ServiceTypeService, policy.ServiceTypePlatform}},
		{"state", in.State, []string{string(policy.StateActive), string(policy.StateDeleted)}},
		{"sort", strings.TrimPrefix(in.Sort, "-"), sortKeys},
	} {
		if c.value != "" && !slices.Contains(c.allowed, c.value) {
			return fault.Field(c.name, "Parameter '%s' must be one of %s.", c.name, strings.Join(c.allowed, ", "))
		}
	}
	if in.Limit != nil && (*in.Limit < 1 || *in.Limit > maxLimit) {
		return fault.Field("limit", "Parameter 'limit' must be between 1 and %d.", maxLimit)
	}
	return checkFormat(in.Format)
}

// pageLink is a link of an optional-paging list.
type pageLink struct {
	Href  string `json:"href"`
	Start string `json:"start,omitempty"`
}

type pageHead struct {
	Limit    int       `json:"limit,omitempty"`
	First    *pageLink `json:"first,omitempty"`
	Next     *pageLink `json:"next,omitempty"`
	Previous *pageLink `json:"previous,omitempty"`
}

type v1List struct {
	pageHead
	Policies []*v1Policy `json:"policies"`
}

type v2List struct {
	pageHead
	Policies []*v2Policy `json:"policies"`
}

func (a *API) listV1(ctx context.Context, c *httpapi.Call, in *listIn) (*v1List, error) {
	found, head, err := a.listed(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &v1List{pageHead: head, Policies: make([]*v1Policy, len(found))}
	for i, p := range found {
		out.Policies[i] = a.wireV1(c, p)
	}
	return out, nil
}

func (a *API) listV2(ctx context.Context, c *httpapi.Call, in *listIn) (*v2List, error) {
	found, head, err := a.listed(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &v2List{pageHead: head, Policies: make([]*v2Policy, len(found))}
	for i, p := range found {
		out.Policies[i] = a.wireV2(c, p)
	}
	return out, a.decorate(ctx, in.Format, found, out.Policies)
}

// listed gives the page of policies that match and that the caller may read.
// An account's policies are few (at most access.Limits.Policies), so filters
// run over all of them; what the caller may not read is left out, not refused.
func (a *API) listed(ctx context.Context, c *httpapi.Call, in *listIn) ([]*access.Policy, pageHead, error) {
	subject := in.IAMID
	if subject == "" {
		subject = in.AccessGroupID
	}
	state := policy.StateActive
	if in.State != "" {
		state = policy.State(in.State)
	}
	all, err := a.access.ListPolicies(ctx, in.AccountID, subject, state)
	if err != nil {
		return nil, pageHead{}, err
	}
	var found []*access.Policy
	for _, p := range all {
		if !in.matches(p) {
			continue
		}
		yes, err := c.Allowed(ctx, "iam.policy.read", policy.ScopeOf(&p.Doc))
		if err != nil {
			return nil, pageHead{}, err
		}
		if yes {
			found = append(found, p)
		}
	}
	sortPolicies(found, in.Sort)
	return cut(c, found, in.Limit, in.Start, func(p *access.Policy) string { return p.ID })
}

func (in *listIn) matches(p *access.Policy) bool {
	if in.Type != "" && in.Type != string(p.Doc.Type) {
		return false
	}
	for key, want := range map[string]string{policy.AttrServiceType: in.ServiceType, policy.AttrServiceName: in.ServiceName, policy.AttrServiceGroupID: in.ServiceGroupID} {
		if want != "" && !has(p.Doc.Resource, key, want) {
			return false
		}
	}
	if in.TagName == "" && in.TagValue == "" {
		return true
	}
	return slices.ContainsFunc(p.Doc.Tags, func(t policy.Attribute) bool {
		return (in.TagName == "" || t.Key == in.TagName) && (in.TagValue == "" || t.Value.Text == in.TagValue)
	})
}

func has(list []policy.Attribute, key, value string) bool {
	return slices.ContainsFunc(list, func(a policy.Attribute) bool { return a.Key == key && a.Value.Text == value })
}

func sortPolicies(list []*access.Policy, by string) {
	key, desc := strings.CutPrefix(by, "-")
	text := func(p *access.Policy) string {
		switch key {
		case "id", "href":
			return p.ID
		case "type":
			return string(p.Doc.Type)
		case "created_by_id":
			return p.CreatedBy
		case "last_modified_by_id":
			return p.ModifiedBy
		case "last_modified_at":
			return httpapi.Millis(p.ModifiedAt)
		}
		return httpapi.Millis(p.CreatedAt)
	}
	slices.SortStableFunc(list, func(x, y *access.Policy) int {
		order := cmp.Or(cmp.Compare(text(x), text(y)), cmp.Compare(x.ID, y.ID))
		if desc {
			return -order
		}
		return order
	})
}

// cut gives the page of an optional-paging list that begins after the item
// that start names. Without limit the whole list is one page.
func cut[T any](c *httpapi.Call, list []T, limit *int, start string, key func(T) string) ([]T, pageHead, error) {
	if start != "" {
		after, err := base64.RawURLEncoding.DecodeString(start)
		at := slices.IndexFunc(list, func(x T) bool { return key(x) == string(after) })
		if err != nil || at < 0 {
			return nil, pageHead{}, fault.Field("start", "Parameter 'start' is no page token of this list.")
		}
		list = list[at+1:]
	}
	if limit == nil {
		return list, pageHead{}, nil
	}
	head := pageHead{Limit: *limit, First: &pageLink{Href: link(c.Base, c.URL, "")}}
	if len(list) > *limit {
		list = list[:*limit]
		next := base64.RawURLEncoding.EncodeToString([]byte(key(list[*limit-1])))
		head.Next = &pageLink{Href: link(c.Base, c.URL, next), Start: next}
	}
	return list, head, nil
}

func link(base string, u *url.URL, start string) string {
	q := u.Query()
	q.Del("start")
	if start != "" {
		q.Set("start", start)
	}
	return base + u.EscapedPath() + "?" + q.Encode()
}
