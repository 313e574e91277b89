package authz

import (
	"context"
	"encoding/json"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/document"
)

// whoCanIn is a question without subject, in the form of POST /v2/authz.
type whoCanIn struct {
	Body json.RawMessage

	q *question
}

// Validate reads the question.
func (in *whoCanIn) Validate() error {
	r := reader{scanner: scanner{text: string(in.Body)}}
	q := &question{}
	if err := r.question(q); err != nil {
		return syntax(err)
	}
	switch {
	case q.Resource.Account == "" || q.Resource.ServiceName == "":
		return errBody("Property 'resource' names no account or no service.")
	case q.Action == "":
		return errBody("Property 'action' is missing or empty.")
	}
	at, err := sentTime(in.Body)
	q.Environment.Now = at
	in.q = q
	return err
}

// onService is the target of questions about everybody: the service.
func onService(_ context.Context, _ *httpapi.Call, in *whoCanIn) (httpapi.Target, error) {
	return httpapi.Target{Account: in.q.Resource.Account, ServiceName: in.q.Resource.ServiceName}, nil
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

func (a *API) whoCan(ctx context.Context, c *httpapi.Call, in *whoCanIn) (*Grantees, error) {
	s, err := a.authority.Snapshot(ctx, in.q.Resource.Account)
	if err != nil {
		return nil, err
	}
	if in.q.Environment.Now.IsZero() {
		in.q.Environment.Now = c.Now()
	}
	out := &Grantees{Grantees: []Grantee{}, Seq: s.Seq()}
	found := policy.WhoCan(s, in.q.Action, in.q.Resource, in.q.Environment)
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
	if active, err = p.api.standing.Active(ctx, &sub); err != nil {
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

	doc *policy.Policy // nil: the policy is deleted
	old *access.Policy // nil: there is none
}

// Validate reads the document.
func (in *whatIfIn) Validate() (err error) {
	if len(in.Body.Policy) == 0 || string(in.Body.Policy) == "null" {
		if in.Body.PolicyID == "" {
			return errBody("Property 'policy' or 'policy_id' is missing.")
		}
		return nil
	}
	var schema struct {
		Subjects, Resources, Roles json.RawMessage
	}
	if json.Unmarshal(in.Body.Policy, &schema) == nil && (schema.Subjects != nil || schema.Resources != nil || schema.Roles != nil) {
		in.doc, err = document.DecodeV1(in.Body.Policy)
	} else {
		in.doc, err = document.DecodeV2(in.Body.Policy)
	}
	return err
}

// onPolicy is the target of a question about a change: all that the new and the
// old policy cover.
func (a *API) onPolicy(ctx context.Context, c *httpapi.Call, in *whatIfIn) (httpapi.Target, error) {
	if in.doc != nil {
		if err := a.access.CheckForm(in.doc); err != nil {
			return httpapi.Target{}, err
		}
	}
	if in.Body.PolicyID == "" {
		return policy.ScopeOf(in.doc), nil
	}
	c.SeeksOr(access.NoPolicy(in.Body.PolicyID))
	var err error
	if in.old, err = a.access.GetPolicy(ctx, in.Body.PolicyID, false); err != nil {
		return httpapi.Target{}, err
	}
	scope := policy.ScopeOf(&in.old.Doc)
	if in.doc == nil {
		return scope, nil
	}
	if err := c.Authorize(ctx, actionAsk, scope); err != nil {
		return httpapi.Target{}, err
	}
	if access.AccountOf(in.doc) != in.old.Account {
		return httpapi.Target{}, &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "accountId", Message: "The account of a policy cannot be changed."}
	}
	return policy.ScopeOf(in.doc), nil
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

func (a *API) whatIf(ctx context.Context, _ *httpapi.Call, in *whatIfIn) (*Shifts, error) {
	var accountID string
	var changes []policy.Change
	if in.old != nil {
		accountID = in.old.Account
		changes = append(changes, policy.RemovePolicy(in.old.ID))
	}
	if in.doc != nil {
		if err := a.access.CheckPolicy(ctx, in.doc); err != nil {
			return nil, err
		}
		accountID = access.AccountOf(in.doc)
		next := *in.doc
		next.Account, next.State, next.ID = accountID, policy.StateActive, "new"
		if in.old != nil {
			next.ID = in.old.ID
		}
		changes = append(changes, policy.PutPolicy(&next))
	}
	before, err := a.authority.Snapshot(ctx, accountID)
	if err != nil {
		return nil, err
	}
	out := &Shifts{Changes: []Shift{}, Seq: before.Seq()}
	shifts := policy.Diff(before, before.With(changes...))
	names, err := a.peopleOf(ctx, accountID, len(shifts))
	if err != nil {
		return nil, err
	}
	for _, s := range shifts {
		g, _, err := names.grantee(ctx, s.Grantee)
		if err != nil {
			return nil, err
		}
		out.Changes = append(out.Changes, Shift{Grantee: g, Resource: wireScope(&s.Resource),
			Gained: append([]string{}, s.Gained...), Lost: append([]string{}, s.Lost...),
			GainedWhen: append([]string{}, s.GainedWhen...), LostWhen: append([]string{}, s.LostWhen...)})
	}
	return out, nil
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
