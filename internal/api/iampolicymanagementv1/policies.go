package iampolicymanagementv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/document"
	"github.com/kagiban/kagiban/internal/valid"
)

// updatePolicy is the action that replaces and restores.
const updatePolicy = "iam.policy.update"

// newPolicy is a document whose form was checked.
type newPolicy = valid.Of[access.PolicySpec]

// replacement is a policy and the document that is to take its place.
type replacement struct {
	old  *access.Policy
	next newPolicy
}

// sender is a request with a policy document in it.
type sender interface {
	document() (*policy.Policy, error)
}

// checked reads and checks the document of a request, and gives what it covers.
func (a *API) checked(in sender) (newPolicy, httpapi.Target, error) {
	doc, err := in.document()
	if err != nil {
		return newPolicy{}, httpapi.Target{}, err
	}
	spec, err := valid.Check(a.access.PolicySpec(doc))
	return spec, policy.ScopeOf(doc), err
}

// findNew reads the document of a new policy. The right to give access is decided
// on everything that it gives access to.
func findNew[In sender](a *API) func(context.Context, *httpapi.Call, *In) (newPolicy, httpapi.Target, error) {
	return func(_ context.Context, _ *httpapi.Call, in *In) (newPolicy, httpapi.Target, error) {
		return a.checked(*in)
	}
}

// find finds a policy, and gives what it covers.
func (a *API) find(ctx context.Context, c *httpapi.Call, policyID string, deletedToo bool) (*access.Policy, httpapi.Target, error) {
	c.SeeksOr(access.NoPolicy(policyID))
	p, err := a.access.GetPolicy(ctx, policyID, deletedToo)
	if err != nil {
		return nil, httpapi.Target{}, err
	}
	return p, policy.ScopeOf(&p.Doc), nil
}

// findPolicy finds an active policy.
func findPolicy[In interface{ policyID() string }](a *API,
) func(context.Context, *httpapi.Call, *In) (*access.Policy, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (*access.Policy, httpapi.Target, error) {
		return a.find(ctx, c, (*in).policyID(), false)
	}
}

// findReplaced finds a policy and reads the document in its place. The target is
// the new scope, after the right over the old one was decided.
func findReplaced[In interface {
	sender
	policyID() string
}](a *API) func(context.Context, *httpapi.Call, *In) (replacement, httpapi.Target, error) {
	return func(ctx context.Context, c *httpapi.Call, in *In) (found replacement, scope httpapi.Target, err error) {
		if found.next, scope, err = a.checked(*in); err != nil {
			return found, scope, err
		}
		old, before, err := a.find(ctx, c, (*in).policyID(), false)
		if err != nil {
			return found, scope, err
		}
		found.old = old
		return found, scope, c.Authorize(ctx, updatePolicy, before)
	}
}

type policyRef struct {
	PolicyID string `path:"policy_id"`
}

func (in policyRef) policyID() string { return in.PolicyID }

type createV1In struct{ Body raw }

func (in createV1In) document() (*policy.Policy, error) { return document.DecodeV1(in.Body) }

type createV2In struct{ Body raw }

func (in createV2In) document() (*policy.Policy, error) { return document.DecodeV2(in.Body) }

type replaceV1In struct {
	policyRef
	httpapi.Conditional
	Body raw
}

func (in replaceV1In) document() (*policy.Policy, error) { return document.DecodeV1(in.Body) }

type replaceV2In struct {
	policyRef
	httpapi.Conditional
	Body raw
}

func (in replaceV2In) document() (*policy.Policy, error) { return document.DecodeV2(in.Body) }

func (a *API) createV1(ctx context.Context, c *httpapi.Call, _ *createV1In, spec newPolicy) (*v1Policy, error) {
	p, err := a.access.CreatePolicy(ctx, c, spec)
	return a.shownV1(ctx, c, p, err)
}

func (a *API) createV2(ctx context.Context, c *httpapi.Call, _ *createV2In, spec newPolicy) (*v2Policy, error) {
	p, err := a.access.CreatePolicy(ctx, c, spec)
	return a.shownV2(ctx, c, p, err)
}

func (a *API) replaceV1(ctx context.Context, c *httpapi.Call, in *replaceV1In, found replacement) (*v1Policy, error) {
	p, err := a.access.ReplacePolicy(ctx, c, found.old, in.IfMatch, found.next)
	return a.shownV1(ctx, c, p, err)
}

func (a *API) replaceV2(ctx context.Context, c *httpapi.Call, in *replaceV2In, found replacement) (*v2Policy, error) {
	p, err := a.access.ReplacePolicy(ctx, c, found.old, in.IfMatch, found.next)
	return a.shownV2(ctx, c, p, err)
}

// shownV1 words a policy that was written, or what was in its way.
func (a *API) shownV1(ctx context.Context, c *httpapi.Call, p *access.Policy, err error) (*v1Policy, error) {
	if err != nil {
		return nil, a.named(ctx, c, policy.V1, err)
	}
	c.SetETag(p.Tag)
	return a.oneV1(ctx, c, p)
}

func (a *API) shownV2(ctx context.Context, c *httpapi.Call, p *access.Policy, err error) (*v2Policy, error) {
	if err != nil {
		return nil, a.named(ctx, c, policy.V2, err)
	}
	c.SetETag(p.Tag)
	return a.wireV2(c, p), nil
}

type getIn struct {
	policyRef
	Format string `query:"format"`
}

func (in *getIn) check() error { return checkFormat(in.Format) }

func (a *API) getV1(ctx context.Context, c *httpapi.Call, _ *getIn, p *access.Policy) (*v1Policy, error) {
	c.SetETag(p.Tag)
	return a.oneV1(ctx, c, p)
}

func (a *API) getV2(ctx context.Context, c *httpapi.Call, in *getIn, p *access.Policy) (*v2Policy, error) {
	c.SetETag(p.Tag)
	out := []*v2Policy{a.wireV2(c, p)}
	return out[0], a.decorate(ctx, in.Format, p.Account, []*access.Policy{p}, out)
}

func (a *API) deletePolicy(ctx context.Context, _ *httpapi.Call, _ *policyRef, p *access.Policy) (*httpapi.None, error) {
	return nil, a.access.DeletePolicy(ctx, p)
}

type stateIn struct {
	policyRef
	httpapi.Conditional
	Body struct {
		State string `json:"state"`
	}
}

func (in *stateIn) check() error {
	if err := in.Present(); err != nil {
		return err
	}
	if in.Body.State != string(policy.StateActive) {
		return fault.Field("state", "Property 'state' must be active.")
	}
	return nil
}

func (a *API) findDeletedToo(ctx context.Context, c *httpapi.Call, in *stateIn) (*access.Policy, httpapi.Target, error) {
	return a.find(ctx, c, in.PolicyID, true)
}

func (a *API) updateState(ctx context.Context, c *httpapi.Call, in *stateIn, old *access.Policy) (*v1Policy, error) {
	p, err := a.access.RestorePolicy(ctx, c, old, in.IfMatch)
	return a.shownV1(ctx, c, p, err)
}
