package policy

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// ErrClaimValue is returned for a condition value that is not a text or JSON
// scalar, or, with IN, an array of scalars.
var ErrClaimValue = errors.New("value must be a text, or a JSON string, number or boolean in a string, for IN also an array of these")

// ErrClaimOperator is returned for an operator that claim conditions lack.
var ErrClaimOperator = errors.New("operator must be EQUALS, EQUALS_IGNORE_CASE, NOT_EQUALS, NOT_EQUALS_IGNORE_CASE, CONTAINS or IN")

// ClaimTest is a compiled ClaimCondition.
type ClaimTest struct {
	claim  string
	op     ClaimOperator
	values []string
}

// CompileClaim reads the condition's stringified JSON value. It fails with
// ErrClaimOperator or ErrClaimValue for what no login could ever satisfy.
func CompileClaim(c ClaimCondition) (ClaimTest, error) {
	v, ok := claimValue(c.Value)
	if !ok {
		return ClaimTest{}, ErrClaimValue
	}
	if v.Kind == KindString && wrapped(v.Text, c.Operator) {
		var inner Value
		if json.Unmarshal([]byte(v.Text), &inner) == nil {
			v = inner
		}
	}
	switch c.Operator {
	case ClaimEquals, ClaimEqualsIgnoreCase, ClaimNotEquals, ClaimNotEqualsIgnoreCase, ClaimContains:
		if !isScalar(v) {
			return ClaimTest{}, ErrClaimValue
		}
	case ClaimIn:
		if v.Kind == KindNone {
			return ClaimTest{}, ErrClaimValue
		}
	default:
		return ClaimTest{}, ErrClaimOperator
	}
	return ClaimTest{claim: c.Claim, op: c.Operator, values: v.Strings()}, nil
}

// claimValue reads a value as clients write it: JSON, JSON that was put between
// quotes without escaping, or a bare text. What begins as JSON and is none is a
// slip.
func claimValue(text string) (Value, bool) {
	text = strings.TrimSpace(text)
	forms := []string{text}
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		forms = append(forms, text[1:len(text)-1])
	}
	for _, form := range forms {
		var v Value
		if json.Unmarshal([]byte(form), &v) == nil {
			return v, true
		}
	}
	return String(text), text != "" && !strings.ContainsAny(text[:1], `"[{`)
}

// wrapped tells that a text is itself the JSON that was meant: some clients quote
// a value that its user has quoted already.
func wrapped(text string, op ClaimOperator) bool {
	return strings.HasPrefix(text, `"`) || op == ClaimIn && strings.HasPrefix(text, "[")
}

// Match reports whether a login's claims satisfy the condition. A claim that is
// missing satisfies none, the negative operators included. A list equals a
// value when the value is its only element.
func (t *ClaimTest) Match(claims []Claim) bool {
	i := slices.IndexFunc(claims, func(c Claim) bool { return c.Name == t.claim })
	if i < 0 {
		return false
	}
	c := &claims[i]
	switch t.op {
	case ClaimEquals:
		return len(c.Values) == 1 && c.Values[0] == t.values[0]
	case ClaimEqualsIgnoreCase:
		return len(c.Values) == 1 && strings.EqualFold(c.Values[0], t.values[0])
	case ClaimNotEquals:
		return len(c.Values) != 1 || c.Values[0] != t.values[0]
	case ClaimNotEqualsIgnoreCase:
		return len(c.Values) != 1 || !strings.EqualFold(c.Values[0], t.values[0])
	case ClaimContains:
		if c.List {
			return slices.Contains(c.Values, t.values[0])
		}
		return len(c.Values) == 1 && strings.Contains(c.Values[0], t.values[0])
	default: // ClaimIn
		return slices.ContainsFunc(c.Values, func(v string) bool { return slices.Contains(t.values, v) })
	}
}

// dynamicRule is a compiled DynamicRule of the group in a slot.
type dynamicRule struct {
	group  int32
	id     string
	expiry time.Duration
	tests  []ClaimTest
}

// compileDynamic compiles a rule; ok is false for one that can never hold.
func compileDynamic(group int32, r DynamicRule) (out dynamicRule, ok bool) {
	out = dynamicRule{group: group, id: r.ID, expiry: r.Expiration}
	for _, c := range r.Conditions {
		t, err := CompileClaim(c)
		if err != nil {
			return dynamicRule{}, false
		}
		out.tests = append(out.tests, t)
	}
	return out, len(out.tests) > 0 && r.Realm != "" && r.Expiration > 0
}

// member reports whether a login makes its user a member, and until when.
func (r *dynamicRule) member(s *Subject, now time.Time) (until time.Time, ok bool) {
	until = s.LoginAt.Add(r.expiry)
	if s.LoginAt.IsZero() || !now.Before(until) {
		return time.Time{}, false
	}
	for i := range r.tests {
		if !r.tests[i].Match(s.Claims) {
			return time.Time{}, false
		}
	}
	return until, true
}
