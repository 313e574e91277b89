package iampolicymanagementv1

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
	if err != nil {
		return nil, err
	}
	roles, err := a.access.RolesIn(ctx, in.AccountID)
	if err != nil {
		return nil, err
	}
	out := &v1List{pageHead: head, Policies: make([]*v1Policy, len(found))}
	for i, p := range found {
		out.Policies[i] = wireV1(c, p, roles)
	}
	return out, nil
}

func (a *API) listV2(ctx context.Context, c *httpapi.Call, in *listIn, _ httpapi.None) (*v2List, error) {
	found, head, err := a.listed(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &v2List{pageHead: head, Policies: make([]*v2Policy, len(found))}
	for i, p := range found {
		out.Policies[i] = a.wireV2(c, p)
	}
	return out, a.decorate(ctx, in.Format, in.AccountID, found, out.Policies)
}

// listed gives the page of policies that match and that the caller may read.
// An account's policies are few (at most access.Limits.Policies), so filters
// run over all of them; what the caller may not read is left out, not refused.
func (a *API) listed(ctx context.Context, c *httpapi.Call, in *listIn) ([]*access.Policy, pageHead, error) {
	state := cmp.Or(policy.State(in.State), policy.StateActive)
	all, err := a.access.ListPolicies(ctx, in.AccountID, cmp.Or(in.IAMID, in.AccessGroupID), state)
	if err != nil {
		return nil, pageHead{}, err
	}
	key, err := a.sortKey(ctx, in)
	if err != nil {
		return nil, pageHead{}, err
	}
	var found []placed
	for _, p := range all {
		if !in.matches(p) {
			continue
		}
		yes, err := c.May(ctx, "iam.policy.read", policy.ScopeOf(&p.Doc))
		if err != nil {
			return nil, pageHead{}, err
		}
		if yes {
			found = append(found, placed{place{key(p), p.ID}, p})
		}
	}
	return cut(c, found, in)
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

// place is where a policy stands in an order: ids break ties.
type place struct {
	Key string `json:"k"`
	ID  string `json:"i"`
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.Key, q.Key), cmp.Compare(p.ID, q.ID))
}

type placed struct {
	place
	policy *access.Policy
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

// cut sorts and gives the page that begins after the place that start names.
// Without limit the whole list is one page.
func cut(c *httpapi.Call, list []placed, in *listIn) ([]*access.Policy, pageHead, error) {
	desc := strings.HasPrefix(in.Sort, "-")
	order := func(x, y place) int {
		if desc {
			return y.compare(x)
		}
		return x.compare(y)
	}
	slices.SortFunc(list, func(x, y placed) int { return order(x.place, y.place) })
	if in.Start != "" {
		var from place
		raw, err := base64.RawURLEncoding.Strict().DecodeString(in.Start)
		if err != nil || json.Unmarshal(raw, &from) != nil || from.ID == "" {
			return nil, pageHead{}, fault.Field("start", "Parameter 'start' is no page token of this list.")
		}
		list = slices.DeleteFunc(list, func(p placed) bool { return order(p.place, from) <= 0 })
	}
	var head pageHead
	if in.Limit != nil {
		head = pageHead{Limit: *in.Limit, First: &pageLink{Href: link(c.Base, c.URL, "")}}
		if len(list) > *in.Limit {
			list = list[:*in.Limit]
			raw, err := json.Marshal(list[len(list)-1].place)
			if err != nil {
				return nil, pageHead{}, fault.Wrap(err, "encoding a page token")
			}
			next := base64.RawURLEncoding.EncodeToString(raw)
			head.Next = &pageLink{Href: link(c.Base, c.URL, next), Start: next}
		}
	}
	out := make([]*access.Policy, len(list))
	for i, p := range list {
		out[i] = p.policy
	}
	return out, head, nil
}

func link(base string, u *url.URL, start string) string {
	q := u.Query()
	q.Del("start")
	if start != "" {
		q.Set("start", start)
	}
	return base + u.EscapedPath() + "?" + q.Encode()
}
