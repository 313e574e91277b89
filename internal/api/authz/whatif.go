package authz

import (
	"context"
	"encoding/json"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/document"
)

// whoCanIn is a question without subject, in the form of POST /v2/authz.
type whoCanIn struct{ Body json.RawMessage }

// findService reads a question about everybody; its target is the service.
func findService(_ context.Context, c *httpapi.Call, in *whoCanIn) (*question, httpapi.Target, error) {
	q, err := in.read(c.Now())
	if err != nil {
		return nil, httpapi.Target{}, err
	}
	return q, httpapi.Target{Account: q.Resource.Account, ServiceName: q.Resource.ServiceName}, nil
}

// read reads the question of a body. at, when sent, is the time to decide for.
func (in *whoCanIn) read(now time.Time) (*question, error) {
	r := reader{scanner: scanner{text: string(in.Body)}}
	q := &question{}
	if err := r.question(q); err != nil {
		return nil, syntax(err)
	}
	switch {
	case q.Resource.Account == "" || q.Resource.ServiceName == "":
		return nil, errBody("Property 'resource' names no account or no service.")
	case q.Action == "":
		return nil, errBody("Property 'action' is missing or empty.")
	}
	at, err := sentTime(in.Body)
	if at.IsZero() {
		at = now
	}
	q.Environment.Now = at
	return q, err
}

// Grantees are those who have access.
type Grantees struct {
	Grantees []Grantee `json:"grantees"`
	Seq      int64     `json:"seq"`
}

// Grantee is somebody who has access: one identity, the account's owner, every
// user whom a rule admits to a group, everybody, or every service that fits.
type Grantee struct {
	Kind    string      `json:"kind"` // owner, identity, dynamic, everyone or service
	IAMID   string      `json:"iam_id,omitempty"`
	Name    string      `json:"name,omitempty"`
	GroupID string      `json:"access_group_id,omitempty"`
	RuleID  string      `json:"rule_id,omitempty"`
	Source  []Attribute `json:"source,omitempty"`
	// Policies give it; the owner needs none.
	Policies []string `json:"policies"`
}

// Attribute is one attribute of a source or resource, in the form of v2 policies.
type Attribute struct {
	Key      string       `json:"key"`
	Operator string       `json:"operator"`
	Value    policy.Value `json:"value"`
}

func wireAttributes(list []policy.Attribute) []Attribute {
	out := make([]Attribute, len(list))
	for i, a := range list {
		out[i] = Attribute{a.Key, string(a.Operator), a.Value}
		if a.Operator == "" {
			out[i].Operator = string(policy.OpStringEquals)
		}
	}
	return out
}

func (a *API) whoCan(ctx context.Context, _ *httpapi.Call, _ *whoCanIn, q *question) (*Grantees, error) {
	s, err := a.authority.Snapshot(ctx, q.Resource.Account)
	if err != nil {
		return nil, err
	}
	// "Nobody" would be taken for an answer about the action that was meant.
	if bad := policy.Misnamed(s, q.Action, &q.Resource); bad != "" {
		e := fault.Field("action", "%s", bad)
		e.Code = "unknown_action"
		return nil, e
	}
	out := &Grantees{Grantees: []Grantee{}, Seq: s.Seq()}
	found := policy.WhoCan(s, q.Action, q.Resource, q.Environment)
	names, err := a.peopleOf(ctx, s.Account(), len(found))
	if err != nil {
		return nil, err
	}
	for _, g := range found {
		w, active, err := names.grantee(ctx, g)
		if err != nil {
			return nil, err
		}
		if active {
			out.Grantees = append(out.Grantees, w)
		}
	}
	return out, nil
}

// people names the grantees of one answer.
type people struct {
	api     *API
	account string
	users   map[string]*account.User // all of the account; nil: they are read one by one
}

// manyGrantees is from how many on all users of the account are read at once:
// an account has thousands at most, and each read of one is a round trip.
const manyGrantees = 100

func (a *API) peopleOf(ctx context.Context, accountID string, grantees int) (p *people, err error) {
	p = &people{api: a, account: accountID}
	if grantees >= manyGrantees {
		p.users, err = a.access.Users(ctx, accountID)
	}
	return p, err
}

// grantee gives a grantee's wire form, and whether its identity may act at all.
func (p *people) grantee(ctx context.Context, g policy.Grantee) (out Grantee, active bool, err error) {
	out = Grantee{Kind: g.Kind.String(), IAMID: g.IAMID, GroupID: g.GroupID, RuleID: g.RuleID, Policies: append([]string{}, g.Policies...)}
	if len(g.Source) > 0 {
		out.Source = wireAttributes(g.Source)
	}
	if g.IAMID == "" {
		return out, true, nil
	}
	sub := policy.Subject{Kind: policy.KindOf(g.IAMID), IAMID: g.IAMID, Account: p.account}
	if p.users != nil && sub.Kind == policy.KindUser {
		u := p.users[g.IAMID]
		if u == nil {
			return out, true, nil // known to policies only
		}
		out.Name = u.Name
		return out, u.State == account.Active, nil
	}
	if active, err = p.api.presence.Active(ctx, &sub); err != nil {
		return out, false, err
	}
	who, err := p.api.access.Describe(ctx, p.account, g.IAMID)
	out.Name = who.Name
	return out, active, err
}

// whatIfIn is a change that is not made.
type whatIfIn struct {
	Body struct {
		// Policy is a document of either schema; absent to ask about a deletion.
		Policy json.RawMessage `json:"policy,omitempty"`
		// PolicyID is the policy that is replaced or deleted; absent for a new one.
		PolicyID string `json:"policy_id,omitempty"`
	}
}

// document reads the document, nil when there is none.
func (in *whatIfIn) document() (*policy.Policy, error) {
	if len(in.Body.Policy) == 0 || string(in.Body.Policy) == "null" {
		if in.Body.PolicyID == "" {
			return nil, errBody("Property 'policy' or 'policy_id' is missing.")
		}
		return nil, nil
	}
	var schema struct {
		Subjects, Resources, Roles json.RawMessage
	}
	if json.Unmarshal(in.Body.Policy, &schema) == nil && (schema.Subjects != nil || schema.Resources != nil || schema.Roles != nil) {
		return document.DecodeV1(in.Body.Policy)
	}
	return document.DecodeV2(in.Body.Policy)
}

// change is what is asked about.
type change struct {
	old  *access.Policy // nil: there is none
	next *policy.Policy // its form was checked; nil: the policy is deleted
}

// findChange finds what a question about a change is about. Its target is all that
// the new and the old policy cover.
func (a *API) findChange(ctx context.Context, c *httpapi.Call, in *whatIfIn) (found change, scope httpapi.Target, err error) {
	if found.next, err = in.document(); err != nil {
		return found, scope, err
	}
	if found.next != nil {
		if err := a.access.PolicySpec(found.next).Validate(); err != nil {
			return found, scope, err
		}
		scope = policy.ScopeOf(found.next)
	}
	if in.Body.PolicyID == "" {
		return found, scope, nil
	}
	c.SeeksOr(access.NoPolicy(in.Body.PolicyID))
	if found.old, err = a.access.GetPolicy(ctx, in.Body.PolicyID, false); err != nil {
		return found, scope, err
	}
	before := policy.ScopeOf(&found.old.Doc)
	if found.next == nil {
		return found, before, nil
	}
	if err := c.Authorize(ctx, actionAsk, before); err != nil {
		return found, scope, err
	}
	if access.AccountOf(found.next) != found.old.Account {
		err = &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "accountId",
			Message: "The account of a policy cannot be changed."}
	}
	return found, scope, err
}

// Shifts are the differences that a change would make.
type Shifts struct {
	Changes []Shift `json:"changes"`
	Seq     int64   `json:"seq"`
}

// Shift is the difference for one grantee and resource.
type Shift struct {
	Grantee  Grantee     `json:"grantee"`
	Resource []Attribute `json:"resource"`
	Gained   []string    `json:"gained"`
	Lost     []string    `json:"lost"`
	// GainedWhen and LostWhen are actions that hold only while some rule does.
	GainedWhen []string `json:"gained_when"`
	LostWhen   []string `json:"lost_when"`
}

func (a *API) whatIf(ctx context.Context, _ *httpapi.Call, _ *whatIfIn, found change) (*Shifts, error) {
	var accountID string
	var changes []policy.Change
	if found.old != nil {
		accountID = found.old.Account
		changes = append(changes, policy.RemovePolicy(found.old.ID))
	}
	if found.next != nil {
		accountID = access.AccountOf(found.next)
	}
	before, err := a.authority.Snapshot(ctx, accountID)
	if err != nil {
		return nil, err
	}
	if found.next != nil {
		if err := policy.ValidateCustomRoles(found.next, before.Catalog(), before.CustomRoles()); err != nil {
			return nil, err
		}
		next := *found.next
		next.Account, next.State, next.ID = accountID, policy.StateActive, "new"
		if found.old != nil {
			next.ID = found.old.ID
		}
		changes = append(changes, policy.PutPolicy(&next))
	}
	shifts := policy.Diff(before, before.With(changes...))
	names, err := a.peopleOf(ctx, accountID, len(shifts))
	if err != nil {
		return nil, err
	}
	list, err := lists.TryMap(shifts, func(s policy.Shift) (Shift, error) {
		g, _, err := names.grantee(ctx, s.Grantee)
		return Shift{Grantee: g, Resource: wireScope(&s.Resource),
			Gained: append([]string{}, s.Gained...), Lost: append([]string{}, s.Lost...),
			GainedWhen: append([]string{}, s.GainedWhen...), LostWhen: append([]string{}, s.LostWhen...)}, err
	})
	return &Shifts{list, before.Seq()}, err
}

// wireScope gives everything that a policy covers as attributes.
func wireScope(r *policy.Resource) []Attribute {
	var list []policy.Attribute
	add := func(key, value string) {
		if value != "" {
			list = append(list, policy.Attribute{Key: key, Value: policy.String(value)})
		}
	}
	add(policy.AttrAccountID, r.Account)
	add(policy.AttrServiceType, r.ServiceType)
	add(policy.AttrServiceGroupID, r.ServiceGroupID)
	add(policy.AttrServiceName, r.ServiceName)
	add(policy.AttrRegion, r.Region)
	add(policy.AttrServiceInstance, r.ServiceInstance)
	add(policy.AttrResourceType, r.ResourceType)
	add(policy.AttrResource, r.Resource)
	add(policy.AttrResourceGroupID, r.ResourceGroupID)
	for _, a := range r.Attributes {
		add(a.Name, a.Value)
	}
	list = append(list, r.Scope...)
	for _, t := range r.Tags {
		add("tag", t)
	}
	for _, t := range r.ScopeTags {
		list = append(list, policy.Attribute{Key: "tag " + t.Key, Operator: t.Operator, Value: t.Value})
	}
	return wireAttributes(list)
}
