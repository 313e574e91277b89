package iampolicymanagementv1

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
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
var sortKeys = []string{"id", "type", "href", "created_at", "created_by_id", "last_modified_at", "last_modified_by_id", "state",
	"last_permit_at", "last_permit_frequency"}

// maxLimit is the largest page; the official limit is not public.
const maxLimit = 100

func (in *listIn) check() error {
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
	if in.IAMID != "" && in.AccessGroupID != "" {
		return fault.Field("access_group_id", "Parameters 'iam_id' and 'access_group_id' exclude each other.")
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
	Limit int       `json:"limit,omitempty"`
	First *pageLink `json:"first,omitempty"`
	Next  *pageLink `json:"next,omitempty"`
}

type v1List struct {
	pageHead
	Policies []*v1Policy `json:"policies"`
}

type v2List struct {
	pageHead
	Policies []*v2Policy `json:"policies"`
}

func (a *API) listV1(ctx context.Context, c *httpapi.Call, in *listIn, _ httpapi.None) (*v1List, error) {
	found, head, err := a.listed(ctx, c, in)
	if err != nil || len(found) == 0 {
		return &v1List{head, []*v1Policy{}}, err
	}
	roles, err := a.access.RolesIn(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	return &v1List{head, lists.Map(found, func(p *access.Policy) *v1Policy { return wireV1(c, p, roles) })}, nil
}

func (a *API) listV2(ctx context.Context, c *httpapi.Call, in *listIn, _ httpapi.None) (*v2List, error) {
	found, head, err := a.listed(ctx, c, in)
	if err != nil || len(found) == 0 {
		return &v2List{head, []*v2Policy{}}, err
	}
	out := &v2List{head, lists.Map(found, func(p *access.Policy) *v2Policy { return a.wireV2(c, p) })}
	return out, a.decorate(ctx, in.Format, in.AccountID, found, out.Policies)
}

// listed gives the page of policies that match and that the caller may read.
// An account's policies are few (at most access.Limits.Policies), so filters
// run over all of them; what the caller may not read is left out, not refused,
// and for who may read none of them none is read.
func (a *API) listed(ctx context.Context, c *httpapi.Call, in *listIn) (page []*access.Policy, head pageHead, err error) {
	key := func(*access.Policy) string { return "" }
	var found []*access.Policy
	sight, err := c.Look(ctx, "iam.policy.read", policy.Resource{Account: in.AccountID})
	if err == nil && !sight.Nothing() {
		if key, err = a.sortKey(ctx, in); err == nil {
			found, err = a.visible(ctx, sight, in)
		}
	}
	if err != nil {
		return nil, head, err
	}
	return cut(ctx, a, c, in.Limit, in.Start, lists.Held(found, strings.HasPrefix(in.Sort, "-"), func(p *access.Policy) store.Cursor {
		return store.Cursor{Text: key(p), ID: p.ID}
	}))
}

// visible gives all policies that match and that are in sight.
func (a *API) visible(ctx context.Context, sight httpapi.Sight, in *listIn) (found []*access.Policy, err error) {
	state := cmp.Or(policy.State(in.State), policy.StateActive)
	all, err := a.access.ListPolicies(ctx, in.AccountID, cmp.Or(in.IAMID, in.AccessGroupID), state)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if !in.matches(p) {
			continue
		}
		yes, err := sight.Sees(ctx, policy.ScopeOf(&p.Doc))
		if err != nil {
			return nil, err
		}
		if yes {
			found = append(found, p)
		}
	}
	return found, nil
}

func (in *listIn) matches(p *access.Policy) bool {
	if in.Type != "" && in.Type != string(p.Doc.Type) {
		return false
	}
	for key, want := range map[string]string{policy.AttrServiceType: in.ServiceType, policy.AttrServiceName: in.ServiceName,
		policy.AttrServiceGroupID: in.ServiceGroupID} {
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

// sortKey gives the text that an order compares; without sort, lists are
// ordered by creation.
func (a *API) sortKey(ctx context.Context, in *listIn) (func(*access.Policy) string, error) {
	switch strings.TrimPrefix(in.Sort, "-") {
	case "id":
		return func(*access.Policy) string { return "" }, nil
	case "href":
		return func(p *access.Policy) string { return strconv.Itoa(int(p.Doc.Version)) }, nil
	case "type":
		return func(p *access.Policy) string { return string(p.Doc.Type) }, nil
	case "state":
		return func(p *access.Policy) string { return string(p.Doc.State) }, nil
	case "created_by_id":
		return func(p *access.Policy) string { return p.CreatedBy }, nil
	case "last_modified_by_id":
		return func(p *access.Policy) string { return p.ModifiedBy }, nil
	case "last_modified_at":
		return func(p *access.Policy) string { return exactly(p.ModifiedAt) }, nil
	case "last_permit_at", "last_permit_frequency":
		used, err := a.access.LastPermits(ctx, in.AccountID)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(in.Sort, "_at") {
			return func(p *access.Policy) string { return exactly(used[p.ID].Last) }, nil
		}
		return func(p *access.Policy) string { return fmt.Sprintf("%020d", used[p.ID].Count) }, nil
	}
	return func(p *access.Policy) string { return exactly(p.CreatedAt) }, nil
}

// exactly prints a time so that texts sort as times do.
func exactly(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// cut gives the page that is asked for. Without limit all that follows is one
// page, and there are no links.
func cut[T any](ctx context.Context, a *API, c *httpapi.Call, limit *int, start string, list lists.Source[T]) ([]*T, pageHead, error) {
	asked := lists.Asked{Base: c.Base, URL: c.URL, Param: "start", Token: start}
	if limit != nil {
		asked.Size = *limit
	}
	p, links, err := lists.ByToken(ctx, a.pages, list, asked)
	if err != nil {
		return nil, pageHead{}, err
	}
	head := pageHead{Limit: asked.Size}
	if limit != nil {
		head.First = &pageLink{Href: links.First}
	}
	if links.NextToken != "" {
		head.Next = &pageLink{Href: links.Next, Start: links.NextToken}
	}
	return p.Items, head, nil
}
