package iampolicymanagementv1

import (
	"context"
	"slices"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/document"
)

// sender is a request with a policy document in it.
type sender interface {
	document() (*policy.Policy, error)
}

// scopeOfSent checks the form of a request's document and gives what it covers.
func (a *API) scopeOfSent(in sender) (httpapi.Target, error) {
	doc, err := in.document()
	if err != nil {
		return httpapi.Target{}, err
	}
	if err := a.access.CheckForm(doc); err != nil {
		return httpapi.Target{}, err
	}
	return policy.ScopeOf(doc), nil
}

func (a *API) scopeOfStored(ctx context.Context, c *httpapi.Call, policyID string, deletedToo bool) (httpapi.Target, error) {
	c.SeeksOr(access.NoPolicy(policyID))
	p, err := a.access.GetPolicy(ctx, policyID, deletedToo)
	if err != nil {
		return httpapi.Target{}, err
	}
	return policy.ScopeOf(&p.Doc), nil
}

type policyIn struct {
	PolicyID string `path:"policy_id"`
}

func (in policyIn) policyID() string { return in.PolicyID }

type createV1In struct{ Body raw }

func (in *createV1In) document() (*policy.Policy, error) { return document.DecodeV1(in.Body) }

type createV2In struct{ Body raw }

func (in *createV2In) document() (*policy.Policy, error) { return document.DecodeV2(in.Body) }

type replaceV1In struct {
	policyIn
	IfMatch string `header:"If-Match"`
	Body    raw
}

func (in *replaceV1In) document() (*policy.Policy, error) { return document.DecodeV1(in.Body) }

// Validate checks the precondition header.
func (in *replaceV1In) Validate() error { return needTag(in.IfMatch) }

type replaceV2In struct {
	policyIn
	IfMatch string `header:"If-Match"`
	Body    raw
}

func (in *replaceV2In) document() (*policy.Policy, error) { return document.DecodeV2(in.Body) }

// Validate checks the precondition header.
func (in *replaceV2In) Validate() error { return needTag(in.IfMatch) }

func needTag(ifMatch string) error {
	if ifMatch == "" {
		return fault.Missing("If-Match")
	}
	return nil
}

func (a *API) createV1(ctx context.Context, c *httpapi.Call, in *createV1In) (*v1Policy, error) {
	p, err := a.create(ctx, c, in)
	if err != nil {
		return nil, a.named(ctx, c, policy.V1, err)
	}
	return a.oneV1(ctx, c, p)
}

func (a *API) createV2(ctx context.Context, c *httpapi.Call, in *createV2In) (*v2Policy, error) {
	p, err := a.create(ctx, c, in)
	if err != nil {
		return nil, a.named(ctx, c, policy.V2, err)
	}
	return a.wireV2(c, p), nil
}

func (a *API) create(ctx context.Context, c *httpapi.Call, in sender) (*access.Policy, error) {
	doc, err := a.accepted(ctx, c, in)
	if err != nil {
		return nil, err
	}
	p, err := a.access.CreatePolicy(ctx, doc, nil)
	if err == nil {
		c.SetETag(p.Tag)
	}
	return p, err
}

// accepted gives the document of a request that may be stored for its author.
func (a *API) accepted(ctx context.Context, c *httpapi.Call, in sender) (*policy.Policy, error) {
	doc, err := in.document()
	if err != nil {
		return nil, err
	}
	if err := a.access.CheckPolicy(ctx, doc); err != nil {
		return nil, err
	}
	return doc, a.mayDelegate(ctx, c, doc)
}

// mayDelegate refuses an authorization policy that gives a service more than
// the caller holds on the target: a service acts for whoever asks it.
func (a *API) mayDelegate(ctx context.Context, c *httpapi.Call, doc *policy.Policy) error {
	if doc.Type != policy.TypeAuthorization {
		return nil
	}
	roles, err := a.access.RolesIn(ctx, policy.ScopeOf(doc).Account)
	if err != nil {
		return err
	}
	return a.holds(ctx, c, doc, func(service string) (ids []string) {
		for _, action := range roles.Actions(service, doc.RoleIDs...) {
			ids = append(ids, action.ID)
		}
		return ids
	})
}

// holds refuses a caller who does not hold all actions that an authorization
// policy is to give, service by service, on its target.
func (a *API) holds(ctx context.Context, c *httpapi.Call, doc *policy.Policy, given func(service string) []string) error {
	scope := policy.ScopeOf(doc)
	snapshot, err := a.access.Snapshot(ctx, scope.Account)
	if err != nil {
		return err
	}
	for _, target := range a.byService(scope) {
		ask := policy.Request{Subject: c.Caller.Subject, Resource: target, Environment: policy.Environment{Now: c.Now(), SourceIP: c.Address}}
		held := policy.ActionsOn(snapshot, &ask).Actions
		for _, action := range given(target.ServiceName) {
			if _, ok := slices.BinarySearch(held, action); !ok {
				return &fault.Error{Kind: fault.Forbidden, Message: "An authorization can give only what its creator holds on the target.",
					Details: "Action " + action + " is not granted to the caller."}
			}
		}
	}
	return nil
}

// byService gives the parts of a scope by service, since what a role gives is
// said service by service. A scope that does not name one service stands for
// all of its type and group, whatever pattern narrows it: rather too many than
// one that nobody asks about.
func (a *API) byService(scope policy.Resource) []policy.Resource {
	if scope.ServiceName != "" {
		return []policy.Resource{scope}
	}
	var parts []policy.Resource
	for _, s := range a.access.Services("") {
		if scope.ServiceType != "" && (scope.ServiceType == policy.ServiceTypePlatform) != s.Platform || scope.ServiceGroupID != "" && scope.ServiceGroupID != s.Group {
			continue
		}
		part := scope
		part.ServiceName = s.Name
		part.Scope = slices.DeleteFunc(slices.Clone(scope.Scope), func(x policy.Attribute) bool { return x.Key == policy.AttrServiceName })
		parts = append(parts, part)
	}
	return parts
}

func (a *API) replaceV1(ctx context.Context, c *httpapi.Call, in *replaceV1In) (*v1Policy, error) {
	old, err := a.access.GetPolicy(ctx, in.PolicyID, false)
	if err != nil {
		return nil, err
	}
	if old.Doc.Version == policy.V2 {
		// A v1 client has seen a placeholder: it would drop a rule without knowing.
		return nil, &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Message: "Policy with Id " + old.ID + " is a v2 policy. Replace it through /v2/policies."}
	}
	p, err := a.replace(ctx, c, in.PolicyID, in.IfMatch, in)
	if err != nil {
		return nil, a.named(ctx, c, policy.V1, err)
	}
	return a.oneV1(ctx, c, p)
}

func (a *API) replaceV2(ctx context.Context, c *httpapi.Call, in *replaceV2In) (*v2Policy, error) {
	p, err := a.replace(ctx, c, in.PolicyID, in.IfMatch, in)
	if err != nil {
		return nil, a.named(ctx, c, policy.V2, err)
	}
	return a.wireV2(c, p), nil
}

func (a *API) replace(ctx context.Context, c *httpapi.Call, policyID, ifMatch string, in sender) (*access.Policy, error) {
	doc, err := a.accepted(ctx, c, in)
	if err != nil {
		return nil, err
	}
	p, err := a.access.ReplacePolicy(ctx, policyID, ifMatch, doc)
	if err == nil {
		c.SetETag(p.Tag)
	}
	return p, err
}

type getIn struct {
	policyIn
	Format string `query:"format"`
}

// Validate checks the format.
func (in *getIn) Validate() error { return checkFormat(in.Format) }

func (a *API) getV1(ctx context.Context, c *httpapi.Call, in *getIn) (*v1Policy, error) {
	p, err := a.access.GetPolicy(ctx, in.PolicyID, false)
	if err != nil {
		return nil, err
	}
	c.SetETag(p.Tag)
	return a.oneV1(ctx, c, p)
}

func (a *API) getV2(ctx context.Context, c *httpapi.Call, in *getIn) (*v2Policy, error) {
	p, err := a.access.GetPolicy(ctx, in.PolicyID, false)
	if err != nil {
		return nil, err
	}
	c.SetETag(p.Tag)
	out := []*v2Policy{a.wireV2(c, p)}
	return out[0], a.decorate(ctx, in.Format, p.Account, []*access.Policy{p}, out)
}

func (a *API) deletePolicy(ctx context.Context, _ *httpapi.Call, in *policyIn) (*v1Policy, error) {
	return nil, a.access.DeletePolicy(ctx, in.PolicyID)
}

type stateIn struct {
	policyIn
	IfMatch string `header:"If-Match"`
	Body    struct {
		State string `json:"state"`
	}
}

// Validate checks header and state.
func (in *stateIn) Validate() error {
	if err := needTag(in.IfMatch); err != nil {
		return err
	}
	if in.Body.State != string(policy.StateActive) {
		return fault.Field("state", "Property 'state' must be active.")
	}
	return nil
}

// updateState restores a policy. For an authorization that is giving it again.
func (a *API) updateState(ctx context.Context, c *httpapi.Call, in *stateIn) (*v1Policy, error) {
	old, err := a.access.GetPolicy(ctx, in.PolicyID, true)
	if err != nil {
		return nil, err
	}
	if old.Doc.State != policy.StateActive {
		if err := a.mayDelegate(ctx, c, &old.Doc); err != nil {
			return nil, err
		}
	}
	p, err := a.access.RestorePolicy(ctx, in.PolicyID, in.IfMatch)
	if err != nil {
		return nil, a.named(ctx, c, policy.V1, err)
	}
	c.SetETag(p.Tag)
	return a.oneV1(ctx, c, p)
}
