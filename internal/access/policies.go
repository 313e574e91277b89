package access

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// PolicyCRN is the resource name of a policy.
func PolicyCRN(p *Policy) string {
	return "crn:v1:bluemix:public:iam-access-management::a/" + p.Account + "::policy:" + p.ID
}

func policyEvent(verb string, p *Policy, params ...string) store.Event {
	return store.Event{Action: "iam-am.policy." + verb, CRN: PolicyCRN(p), Params: params, Name: p.Doc.Description,
		Message: "IAM Access Management: " + verb + " policy " + p.ID}
}

// NoPolicy is the error for a policy that is not there, or not for the caller to know.
func NoPolicy(policyID string) *fault.Error {
	return &fault.Error{Kind: fault.NotFound, Code: "policy_not_found", Message: "Policy with Id " + policyID + " not found."}
}

// uniqueKey identifies what a policy is about: type, subject, resource, tags
// and rule, in any order of attributes, whatever the roles. Only active
// policies hold it.
func uniqueKey(p *Policy) []store.Key {
	if p.Doc.State != policy.StateActive {
		return nil
	}
	part := func(list []policy.Attribute) []policy.Attribute {
		sorted := slices.Clone(list)
		for i := range sorted {
			if sorted[i].Operator == "" {
				sorted[i].Operator = policy.OpStringEquals
			}
		}
		slices.SortFunc(sorted, func(a, b policy.Attribute) int { return cmp.Compare(attributeText(a), attributeText(b)) })
		return sorted
	}
	raw, err := json.Marshal([]any{p.Doc.Type, part(p.Doc.Subject), part(p.Doc.Resource), part(p.Doc.Tags), p.Doc.Rule})
	if err != nil {
		panic("encoding policy: " + err.Error()) // texts, booleans and lists always encode
	}
	sum := sha256.Sum256(raw)
	return []store.Key{{Space: "policy.target", Value: p.Account + "/" + hex.EncodeToString(sum[:])}}
}

func attributeText(a policy.Attribute) string {
	raw, err := json.Marshal(a)
	if err != nil {
		panic("encoding attribute: " + err.Error())
	}
	return string(raw)
}

// AccountOf gives the account that a policy is for: its accountId attribute.
func AccountOf(doc *policy.Policy) string {
	for _, a := range doc.Resource {
		if a.Key == policy.AttrAccountID && (a.Operator == "" || a.Operator == policy.OpStringEquals) {
			return a.Value.Text
		}
	}
	return ""
}

// subjectOf gives the IAM id or access group id that a policy names.
func subjectOf(doc *policy.Policy) string {
	if doc.Type != policy.TypeAccess {
		return ""
	}
	for _, a := range doc.Subject {
		if a.Key == policy.AttrIAMID || a.Key == policy.AttrAccessGroupID {
			return a.Value.Text
		}
	}
	return ""
}

// maxPolicyDescription bounds a policy's description like an attribute's value;
// the official bound is not public.
const maxPolicyDescription = policy.MaxValueLength

// PolicySpec is a document that is to become a policy; Service.PolicySpec makes
// one.
type PolicySpec struct {
	Doc     *policy.Policy
	catalog *policy.Catalog
}

// PolicySpec readies a document for its check.
func (s *Service) PolicySpec(doc *policy.Policy) PolicySpec {
	return PolicySpec{doc, s.authority.Catalog()}
}

// Validate judges a document as far as it says nothing of its account: the
// account's own roles are taken to exist. They are judged when the policy is
// stored, after the question whether the caller may, so that nobody learns of
// the roles of an account that is not theirs.
func (p PolicySpec) Validate() error {
	if err := policy.Validate(p.Doc, p.catalog); err != nil {
		return err
	}
	if utf8.RuneCountInString(p.Doc.Description) > maxPolicyDescription {
		e := fault.Field("description", "Property 'description' must have at most %d characters.", maxPolicyDescription)
		e.Code = policy.CodeInvalidBody
		return e
	}
	if err := valid.Prose("description", p.Doc.Description); err != nil {
		return asBody(err)
	}
	return nil
}

// CheckTemplate validates the policy of a template, which says nothing of the
// account that it will be laid on.
func (s *Service) CheckTemplate(doc *policy.Policy) error {
	return policy.ValidateTemplate(doc, s.authority.Catalog())
}

// CreatePolicy stores a document as a new policy. It fails with a
// policy_conflict_error that carries the existing policy when an active one has
// the same subject, target and rule, and with fault.Forbidden when an
// authorization gives more than who asks holds.
func (s *Service) CreatePolicy(ctx context.Context, who asker.Asker, spec valid.Of[PolicySpec]) (*Policy, error) {
	doc := spec.Value().Doc
	rights, err := rightsToGive(ctx, who, doc)
	if err != nil {
		return nil, err
	}
	var p *Policy
	err = s.db.Update(ctx, func(tx store.Tx) (err error) {
		if err := s.checkRoles(ctx, tx, rights, doc); err != nil {
			return err
		}
		p, err = s.CreatePolicyIn(ctx, tx, doc, nil)
		return err
	})
	return p, err
}

// CreatePolicyIn makes a policy that the server itself gives, inside a
// transaction: nobody is asked what they hold.
func (s *Service) CreatePolicyIn(ctx context.Context, tx store.Tx, doc *policy.Policy, mark *TemplateMark) (*Policy, error) {
	account := AccountOf(doc)
	p := &Policy{Doc: *doc, Template: mark}
	p.Meta = store.Meta{Account: account, ID: s.ids.UUID(), Parent: string(policy.StateActive), Owner: subjectOf(doc),
		Description: doc.Description}
	p.Doc.State = policy.StateActive
	if err := s.mayEnter(ctx, tx, p, room{account: true, owner: true, tags: len(doc.Tags) > 0}); err != nil {
		return nil, err
	}
	return p, Policies.Create(ctx, tx, p, policyEvent("create", p))
}

// mayEnter refuses a policy that is new in its place: for its subject, for want
// of room, or for another policy that is there.
func (s *Service) mayEnter(ctx context.Context, tx store.Tx, p *Policy, needs room) error {
	if err := s.checkPlace(ctx, tx, p, true); err != nil {
		return err
	}
	if err := s.checkRoom(ctx, tx, p, needs); err != nil {
		return err
	}
	return noConflict(ctx, tx, p)
}

// checkPlace refuses subjects that may not have policies here and, when a policy
// is given to them anew, those that their template closes.
func (s *Service) checkPlace(ctx context.Context, tx store.Tx, p *Policy, anew bool) error {
	switch subject := p.Owner; {
	case subject == policy.PublicAccessGroupID:
		set, err := SettingsOf(ctx, tx, p.Account)
		if err == nil && set.PublicAccessOff {
			err = &fault.Error{Kind: fault.Conflict, Code: "public_access_disabled", Message: "Public access is switched off in this account."}
		}
		return err
	case isGroup(&p.Doc):
		g, err := Groups.Get(ctx, tx, p.Account, subject)
		if errors.Is(err, fault.NotFound) {
			return &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "subject",
				Message: "Access groups can only be assigned policies on resources of their own account.",
				Details: "Access group '" + subject + "' is not in account '" + p.Account + "'."}
		}
		if err == nil && anew {
			return groupTakes(g, p)
		}
		return err
	}
	objectID, ok := id.OfIAM(p.Owner)
	if !ok {
		return nil
	}
	// Only of this account: a lock elsewhere guards the policies there, and is
	// nothing that this account may learn.
	sid, err := identity.ServiceIDs.Get(ctx, tx, p.Account, objectID)
	if err == nil && sid.Locked {
		return &fault.Error{Kind: fault.Conflict, Code: "locked",
			Message: "Service ID '" + objectID + "' is locked: its policies cannot be changed."}
	}
	if errors.Is(err, fault.NotFound) && anew {
		return profileTakes(ctx, tx, p)
	}
	return fault.Ignore(fault.NotFound, err)
}

// mayLeave refuses changes to a policy whose subject may not have other ones. A
// subject that is gone holds nothing up.
func (s *Service) mayLeave(ctx context.Context, tx store.Tx, p *Policy) error {
	if p.Doc.State != policy.StateActive {
		return nil
	}
	return fault.Ignore(fault.Invalid, s.checkPlace(ctx, tx, p, false))
}

func isGroup(doc *policy.Policy) bool {
	return slices.ContainsFunc(doc.Subject, func(a policy.Attribute) bool { return a.Key == policy.AttrAccessGroupID })
}

// room is what a policy needs room among: the policies of the account, those of
// its subject, those with tags.
type room struct{ account, owner, tags bool }

// checkRoom refuses a policy that an account or subject has no room for.
// Counting takes longer the more there are, so it is left out as long as the
// snapshot in memory shows that there is room.
func (s *Service) checkRoom(ctx context.Context, tx store.Tx, p *Policy, needs room) error {
	head, err := tx.Head(ctx, p.Account)
	if err != nil {
		return err
	}
	most, since := s.authority.InMemory(p.Account, head)
	active := store.Query{Account: p.Account, Parent: string(policy.StateActive)}
	ofOwner := active
	ofOwner.Owner = p.Owner
	for _, c := range []struct {
		asked    bool
		limit    int
		inMemory func(*policy.Snapshot) int
		count    func() (int, error)
	}{
		{needs.tags, s.limits.TagPolicies, (*policy.Snapshot).Tagged, func() (int, error) { return countTagged(ctx, tx, active) }},
		{needs.account, s.limits.Policies, (*policy.Snapshot).Len, func() (int, error) { return Policies.Count(ctx, tx, active) }},
		{needs.owner && p.Owner != "", s.limits.PoliciesPerOwner, func(s *policy.Snapshot) int { return s.LenOf(p.Owner) },
			func() (int, error) { return Policies.Count(ctx, tx, ofOwner) }},
	} {
		if !c.asked || most != nil && c.inMemory(most)+since < c.limit {
			continue
		}
		if n, err := c.count(); err != nil {
			return err
		} else if n >= c.limit {
			return quotaExceeded(c.limit)
		}
	}
	return nil
}

// countTagged counts the policies with tags among those of a query.
func countTagged(ctx context.Context, r store.Reader, q store.Query) (n int, err error) {
	list, err := Policies.List(ctx, r, q)
	for _, p := range list {
		if len(p.Doc.Tags) > 0 {
			n++
		}
	}
	return n, err
}

func quotaExceeded(limit int) error {
	return &fault.Error{Kind: fault.State, Code: "unable_to_process", Message: fmt.Sprintf("Exceeded maximum policies quota of %d.", limit)}
}

// PolicyConflict is the Body of a conflict: the policy in the way. The wire
// renders it in the schema of the API that was called.
type PolicyConflict struct{ Existing *Policy }

// noConflict looks for an active policy with the same subject, target and rule.
func noConflict(ctx context.Context, tx store.Tx, p *Policy) error {
	for _, key := range uniqueKey(p) {
		other, err := Policies.Lookup(ctx, tx, key)
		if errors.Is(err, fault.NotFound) || err == nil && other.ID == p.ID {
			continue
		}
		if err != nil {
			return err
		}
		return &fault.Error{Kind: fault.Conflict, Code: "policy_conflict_error", Body: PolicyConflict{other},
			Message: fmt.Sprintf("An %s policy with identical attributes (%s) exists already. Change the roles of that policy instead.",
				p.Doc.Type, other.ID)}
	}
	return nil
}

// GetPolicy gives a policy that is active or, when asked for, deleted.
func (s *Service) GetPolicy(ctx context.Context, policyID string, deletedToo bool) (*Policy, error) {
	p, err := Policies.Get(ctx, s.db.Direct(), "", policyID)
	if errors.Is(err, fault.NotFound) || err == nil && p.Doc.State != policy.StateActive && !deletedToo {
		return nil, NoPolicy(policyID)
	}
	return p, err
}

// matchPolicy is the precondition of a change.
func matchPolicy(p *Policy, ifMatch string) error {
	if err := p.Match(ifMatch); err != nil {
		return staleWithTag(err, p)
	}
	return nil
}

// staleWithTag gives the conflict of the policy API with the current policy.
func staleWithTag(err error, p *Policy) error {
	e := *fault.Of(err)
	if e.Kind == fault.Stale {
		e.Code, e.Body = "policy_conflict_error", PolicyConflict{p}
	}
	return &e
}

// ReplacePolicy puts a document in the place of an active policy that was found;
// the schema may change from v1 to v2. Type and account cannot change. It fails
// as CreatePolicy does, and with store.ErrMoved.
func (s *Service) ReplacePolicy(ctx context.Context, who asker.Asker, found *Policy, ifMatch string, spec valid.Of[PolicySpec],
) (*Policy, error) {
	doc := spec.Value().Doc
	if doc.Version == policy.V1 && found.Doc.Version == policy.V2 {
		// A v1 client has seen a placeholder: it would drop a rule without knowing.
		return nil, badPolicy("", "Policy with Id "+found.ID+" is a v2 policy. Replace it through /v2/policies.")
	}
	rights, err := rightsToGive(ctx, who, doc)
	if err != nil {
		return nil, err
	}
	return Policies.Edit(ctx, s.db, found, func(tx store.Tx, p *Policy) (store.Event, error) {
		if err := s.checkRoles(ctx, tx, rights, doc); err != nil {
			return store.Event{}, err
		}
		if err := matchPolicy(p, ifMatch); err != nil {
			return store.Event{}, err
		}
		return policyEvent("update", p, "policy"), s.replace(ctx, tx, p, doc)
	})
}

// replace changes a policy to what a document says.
func (s *Service) replace(ctx context.Context, tx store.Tx, p *Policy, doc *policy.Policy) error {
	moves, tagged := p.Owner != subjectOf(doc), len(p.Doc.Tags) > 0
	if moves {
		if err := s.mayLeave(ctx, tx, p); err != nil {
			return err
		}
	}
	switch {
	case p.Doc.State != policy.StateActive:
		return NoPolicy(p.ID)
	case p.Template != nil:
		return managedByEnterprise("policy")
	case doc.Type != p.Doc.Type:
		return badPolicy("type", "Property 'type' of a policy cannot be changed.")
	case AccountOf(doc) != p.Account:
		return badPolicy("accountId", "The account of a policy cannot be changed.")
	}
	p.Doc = *doc
	p.Doc.State = policy.StateActive
	p.Owner, p.Description = subjectOf(doc), doc.Description
	if err := s.checkPlace(ctx, tx, p, moves); err != nil {
		return err
	}
	if err := s.checkRoom(ctx, tx, p, room{owner: moves, tags: len(doc.Tags) > 0 && !tagged}); err != nil {
		return err
	}
	return noConflict(ctx, tx, p)
}

func badPolicy(field, message string) error {
	return &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: field, Message: message}
}

func managedByEnterprise(what string) error {
	return &fault.Error{Kind: fault.Forbidden, Code: "insufficent_permissions",
		Message: "This " + what + " is managed by the enterprise and cannot be changed here."}
}

// DeletePolicy makes an active policy that was found inactive; it can be
// restored.
func (s *Service) DeletePolicy(ctx context.Context, found *Policy) error {
	_, err := Policies.Edit(ctx, s.db, found, func(tx store.Tx, p *Policy) (store.Event, error) {
		if p.Doc.State != policy.StateActive {
			return store.Event{}, NoPolicy(p.ID)
		}
		if err := s.mayLeave(ctx, tx, p); err != nil {
			return store.Event{}, err
		}
		if err := mayTake(ctx, tx, p); err != nil {
			return store.Event{}, err
		}
		p.Doc.State, p.Parent = policy.StateDeleted, string(policy.StateDeleted)
		return policyEvent("delete", p, "state"), nil
	})
	return err
}

// RestorePolicy makes a deleted policy that was found active again; an active one
// stays as it is. For an authorization that is giving it again.
func (s *Service) RestorePolicy(ctx context.Context, who asker.Asker, found *Policy, ifMatch string) (*Policy, error) {
	rights, err := rightsToGive(ctx, who, &found.Doc)
	if err != nil {
		return nil, err
	}
	return Policies.Edit(ctx, s.db, found, func(tx store.Tx, p *Policy) (store.Event, error) {
		active := p.Doc.State == policy.StateActive
		if !active {
			// Roles that are gone meanwhile give nothing.
			custom, err := rolesNamed(ctx, tx, &p.Doc)
			if err != nil {
				return store.Event{}, err
			}
			if err := s.mayDelegate(rights, &p.Doc, custom); err != nil {
				return store.Event{}, err
			}
		}
		if err := matchPolicy(p, ifMatch); err != nil {
			return store.Event{}, err
		}
		if active {
			if err := s.mayLeave(ctx, tx, p); err != nil {
				return store.Event{}, err
			}
			return store.Event{}, store.ErrUnchanged
		}
		p.Doc.State, p.Parent = policy.StateActive, string(policy.StateActive)
		return policyEvent("update", p, "state"), s.mayEnter(ctx, tx, p, room{account: true, owner: true, tags: len(p.Doc.Tags) > 0})
	})
}

// ListPolicies gives the policies of an account in one state, of one subject
// when it is set, oldest first.
func (s *Service) ListPolicies(ctx context.Context, account, subject string, state policy.State) ([]*Policy, error) {
	return Policies.List(ctx, s.db.Direct(), store.Query{Account: account, Owner: subject, Parent: string(state)})
}
