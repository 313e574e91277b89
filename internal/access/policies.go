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
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
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

// CheckForm validates a document as far as it says nothing of its account: the
// account's own roles are taken to exist. It comes before the question whether
// the caller may, CheckPolicy after it, so that nobody learns of the roles of
// an account that is not theirs.
func (s *Service) CheckForm(doc *policy.Policy) error {
	var custom []policy.CustomRole
	service := policy.ScopeOf(doc).ServiceName
	for _, crn := range doc.RoleIDs {
		if strings.Contains(crn, "::customRole:") {
			custom = append(custom, policy.CustomRole{Service: service, Role: policy.Role{CRN: crn}})
		}
	}
	if err := policy.Validate(doc, s.authority.Catalog(), custom...); err != nil {
		return err
	}
	if utf8.RuneCountInString(doc.Description) > maxPolicyDescription {
		e := fault.Field("description", "Property 'description' must have at most %d characters.", maxPolicyDescription)
		e.Code = policy.CodeInvalidBody
		return e
	}
	return nil
}

// CheckPolicy validates a document for its account with the account's custom
// roles, without storing it. An account that is not there has none.
func (s *Service) CheckPolicy(ctx context.Context, doc *policy.Policy) error {
	roles, err := s.RolesIn(ctx, AccountOf(doc))
	if err != nil {
		return err
	}
	return policy.Validate(doc, roles.catalog, roles.custom...)
}

// CheckTemplate validates the policy of a template, which says nothing of the
// account that it will be laid on.
func (s *Service) CheckTemplate(doc *policy.Policy) error {
	return policy.ValidateTemplate(doc, s.authority.Catalog())
}

// CreatePolicy stores a checked document as a new policy. It fails with a
// policy_conflict_error that carries the existing policy when an active one
// has the same subject, target and rule.
func (s *Service) CreatePolicy(ctx context.Context, doc *policy.Policy, mark *TemplateMark) (*Policy, error) {
	if err := s.checkTagQuota(ctx, doc); err != nil {
		return nil, err
	}
	var p *Policy
	err := s.db.Update(ctx, func(tx store.Tx) (err error) {
		p, err = s.CreatePolicyIn(ctx, tx, doc, mark)
		return err
	})
	return p, err
}

// checkTagQuota refuses a policy with tags that an account has no room for. It
// counts in memory, outside the transaction: several at once may pass the limit
// by as many.
func (s *Service) checkTagQuota(ctx context.Context, doc *policy.Policy) error {
	if len(doc.Tags) == 0 {
		return nil
	}
	snapshot, err := s.authority.Snapshot(ctx, AccountOf(doc))
	if err == nil && snapshot.Tagged() >= s.limits.TagPolicies {
		return quotaExceeded(s.limits.TagPolicies)
	}
	return fault.Ignore(fault.NotFound, err)
}

// CreatePolicyIn is CreatePolicy inside a transaction.
func (s *Service) CreatePolicyIn(ctx context.Context, tx store.Tx, doc *policy.Policy, mark *TemplateMark) (*Policy, error) {
	account := AccountOf(doc)
	p := &Policy{Doc: *doc, Template: mark}
	p.Meta = store.Meta{Account: account, ID: s.ids.UUID(), Parent: string(policy.StateActive), Owner: subjectOf(doc), Description: doc.Description}
	p.Doc.State = policy.StateActive
	if err := s.checkPlace(ctx, tx, p); err != nil {
		return nil, err
	}
	if err := mayGive(ctx, tx, p); err != nil {
		return nil, err
	}
	if err := s.checkQuota(ctx, tx, p); err != nil {
		return nil, err
	}
	if err := noConflict(ctx, tx, p); err != nil {
		return nil, err
	}
	return p, Policies.Create(ctx, tx, p, policyEvent("create", p))
}

// checkPlace refuses subjects that may not have policies here.
func (s *Service) checkPlace(ctx context.Context, tx store.Tx, p *Policy) error {
	switch subject := p.Owner; {
	case subject == policy.PublicAccessGroupID:
		set, err := SettingsOf(ctx, tx, p.Account)
		if err == nil && set.PublicAccessOff {
			err = &fault.Error{Kind: fault.Conflict, Code: "public_access_disabled", Message: "Public access is switched off in this account."}
		}
		return err
	case isGroup(&p.Doc):
		_, err := Groups.Get(ctx, tx, p.Account, subject)
		if errors.Is(err, fault.NotFound) {
			return &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "subject",
				Message: "Access groups can only be assigned policies on resources of their own account.",
				Details: "Access group '" + subject + "' is not in account '" + p.Account + "'."}
		}
		return err
	}
	if objectID, ok := id.OfIAM(p.Owner); ok {
		// Only of this account: a lock elsewhere guards the policies there, and is
		// nothing that this account may learn.
		sid, err := identity.ServiceIDs.Get(ctx, tx, p.Account, objectID)
		if err == nil && sid.Locked {
			return &fault.Error{Kind: fault.Conflict, Code: "locked", Message: "Service ID '" + objectID + "' is locked: its policies cannot be changed."}
		}
		return fault.Ignore(fault.NotFound, err)
	}
	return nil
}

func isGroup(doc *policy.Policy) bool {
	return slices.ContainsFunc(doc.Subject, func(a policy.Attribute) bool { return a.Key == policy.AttrAccessGroupID })
}

// checkQuota refuses a policy that an account or subject has no room for.
func (s *Service) checkQuota(ctx context.Context, tx store.Tx, p *Policy) error {
	return s.checkRoom(ctx, tx, p, true)
}

// checkOwnerQuota is checkQuota for a policy that the account has already.
func (s *Service) checkOwnerQuota(ctx context.Context, tx store.Tx, p *Policy) error {
	return s.checkRoom(ctx, tx, p, false)
}

// checkRoom counts the policies of the account, if asked to, and those of the
// policy's subject. Counting takes longer the more there are, so it is left out
// as long as the snapshot in memory shows that there is room.
func (s *Service) checkRoom(ctx context.Context, tx store.Tx, p *Policy, inAccount bool) error {
	head, err := tx.Head(ctx, p.Account)
	if err != nil {
		return err
	}
	all, own, known := s.authority.MostPolicies(p.Account, p.Owner, head)
	query := store.Query{Account: p.Account, Parent: string(policy.StateActive)}
	if inAccount && (!known || all >= s.limits.Policies) {
		n, err := Policies.Count(ctx, tx, query)
		if err != nil {
			return err
		}
		if n >= s.limits.Policies {
			return quotaExceeded(s.limits.Policies)
		}
	}
	if p.Owner == "" || known && own < s.limits.PoliciesPerOwner {
		return nil
	}
	query.Owner = p.Owner
	n, err := Policies.Count(ctx, tx, query)
	if err == nil && n >= s.limits.PoliciesPerOwner {
		return quotaExceeded(s.limits.PoliciesPerOwner)
	}
	return err
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
			Message: fmt.Sprintf("An %s policy with identical attributes (%s) exists already. Change the roles of that policy instead.", p.Doc.Type, other.ID)}
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

// changePolicy applies fn to a policy in a transaction, after the precondition
// (no check when ifMatch is "").
func (s *Service) changePolicy(ctx context.Context, policyID, ifMatch string, fn func(store.Tx, *Policy) error) (*Policy, error) {
	var p *Policy
	err := s.db.Update(ctx, func(tx store.Tx) (err error) {
		p, err = Policies.Get(ctx, tx, "", policyID)
		if errors.Is(err, fault.NotFound) {
			return NoPolicy(policyID)
		}
		if err != nil {
			return err
		}
		if ifMatch != "" {
			if err := p.Match(ifMatch); err != nil {
				return staleWithTag(err, p)
			}
		}
		if err := s.checkPlace(ctx, tx, p); err != nil && p.Doc.State == policy.StateActive && !errors.Is(err, fault.Invalid) {
			return err
		}
		return fn(tx, p)
	})
	return p, err
}

// staleWithTag gives the conflict of the policy API with the current policy.
func staleWithTag(err error, p *Policy) error {
	e := *fault.Of(err)
	if e.Kind == fault.Stale {
		e.Code, e.Body = "policy_conflict_error", PolicyConflict{p}
	}
	return &e
}

// ReplacePolicy puts a checked document in the place of an active policy; the
// schema may change from v1 to v2. Type and account cannot change.
func (s *Service) ReplacePolicy(ctx context.Context, policyID, ifMatch string, doc *policy.Policy) (*Policy, error) {
	return s.changePolicy(ctx, policyID, ifMatch, func(tx store.Tx, p *Policy) error {
		switch {
		case p.Doc.State != policy.StateActive:
			return NoPolicy(policyID)
		case p.Template != nil:
			return managedByEnterprise("policy")
		case doc.Type != p.Doc.Type:
			return &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "type", Message: "Property 'type' of a policy cannot be changed."}
		case AccountOf(doc) != p.Account:
			return &fault.Error{Kind: fault.Invalid, Code: policy.CodeInvalidBody, Field: "accountId", Message: "The account of a policy cannot be changed."}
		}
		moved := p.Owner != subjectOf(doc)
		p.Doc = *doc
		p.Doc.State = policy.StateActive
		p.Owner, p.Description = subjectOf(doc), doc.Description
		if err := s.checkPlace(ctx, tx, p); err != nil {
			return err
		}
		if moved {
			if err := mayGive(ctx, tx, p); err != nil {
				return err
			}
			if err := s.checkOwnerQuota(ctx, tx, p); err != nil {
				return err
			}
		}
		if err := noConflict(ctx, tx, p); err != nil {
			return err
		}
		return Policies.Update(ctx, tx, p, policyEvent("update", p, "policy"))
	})
}

func managedByEnterprise(what string) error {
	return &fault.Error{Kind: fault.Forbidden, Code: "insufficent_permissions", Message: "This " + what + " is managed by the enterprise and cannot be changed here."}
}

// DeletePolicy makes a policy inactive; it can be restored.
func (s *Service) DeletePolicy(ctx context.Context, policyID string) error {
	_, err := s.changePolicy(ctx, policyID, "", func(tx store.Tx, p *Policy) error {
		if p.Doc.State != policy.StateActive {
			return NoPolicy(policyID)
		}
		if err := mayTake(ctx, tx, p); err != nil {
			return err
		}
		p.Doc.State, p.Parent = policy.StateDeleted, string(policy.StateDeleted)
		return Policies.Update(ctx, tx, p, policyEvent("delete", p, "state"))
	})
	return err
}

// RestorePolicy makes a deleted policy active again; an active one stays as it is.
func (s *Service) RestorePolicy(ctx context.Context, policyID, ifMatch string) (*Policy, error) {
	if old, err := s.GetPolicy(ctx, policyID, true); err != nil {
		return nil, err
	} else if old.Doc.State != policy.StateActive {
		if err := s.checkTagQuota(ctx, &old.Doc); err != nil {
			return nil, err
		}
	}
	return s.changePolicy(ctx, policyID, ifMatch, func(tx store.Tx, p *Policy) error {
		if p.Doc.State == policy.StateActive {
			return nil
		}
		p.Doc.State, p.Parent = policy.StateActive, string(policy.StateActive)
		if err := s.checkPlace(ctx, tx, p); err != nil {
			return err
		}
		if err := mayGive(ctx, tx, p); err != nil {
			return err
		}
		if err := s.checkQuota(ctx, tx, p); err != nil {
			return err
		}
		if err := noConflict(ctx, tx, p); err != nil {
			return err
		}
		return Policies.Update(ctx, tx, p, policyEvent("update", p, "state"))
	})
}

// ListPolicies gives the policies of an account in one state, of one subject
// when it is set, oldest first.
func (s *Service) ListPolicies(ctx context.Context, account, subject string, state policy.State) ([]*Policy, error) {
	return Policies.List(ctx, s.db.Direct(), store.Query{Account: account, Owner: subject, Parent: string(state)})
}

// AuthorizationsWith gives the active authorization policies that name a custom
// role.
func (s *Service) AuthorizationsWith(ctx context.Context, r *CustomRole) ([]*Policy, error) {
	list, err := Policies.List(ctx, s.db.Direct(), store.Query{Account: r.Account, Parent: string(policy.StateActive)})
	return slices.DeleteFunc(list, func(p *Policy) bool {
		return p.Doc.Type != policy.TypeAuthorization || !slices.ContainsFunc(p.Doc.RoleIDs, func(crn string) bool { return sameRole(crn, r.CRN()) })
	}), err
}
