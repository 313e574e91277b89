package policy

import "strings"

// rule checks the rule together with its pattern: one is not without the other,
// and a pattern admits only its own kind of condition.
func (v *validation) rule() {
	p := v.p
	if p.Rule == nil && p.Pattern == "" {
		return
	}
	switch {
	case p.Version == V1:
		v.add("rule", ProblemPlace, "rules need the v2 schema")
		return
	case p.Pattern == "":
		v.add("pattern", ProblemMissing, "a rule needs a pattern")
		return
	case p.Rule == nil:
		v.add("rule", ProblemMissing, "a pattern needs a rule")
		return
	}
	switch p.Pattern {
	case PatternOnce, PatternWeekly, PatternWeeklyAllDay, PatternWeeklyHours, PatternAttributeBase:
	default:
		v.add("pattern", ProblemUnknown, "pattern %q is unknown", p.Pattern)
		return
	}
	count := v.ruleGroup("rule", p.Rule, 0)
	if count > MaxRuleConditions {
		v.add("rule", ProblemCount, "a rule has at most %d conditions", MaxRuleConditions)
	}
	if p.Pattern == PatternAttributeBase && count < MinRuleConditions {
		v.add("rule", ProblemCount, "an attribute-based rule has at least %d conditions", MinRuleConditions)
	}
}

// ruleGroup checks a rule or a part of it and counts its comparisons. depth is
// how many groups it lies in.
func (v *validation) ruleGroup(at string, r *Rule, depth int) int {
	if !r.IsGroup() {
		v.ruleLeaf(at, r)
		return 1
	}
	if r.Operator != OpAnd && r.Operator != OpOr {
		v.add(at+".operator", ProblemUnknown, "conditions are joined by and or or, not by %q", r.Operator)
	}
	if r.Key != "" || r.Value.Kind != KindNone {
		v.add(at, ProblemConflict, "conditions and a comparison exclude each other")
	}
	if depth == MaxRuleDepth {
		v.add(at, ProblemCount, "conditions lie in each other at most %d levels deep", MaxRuleDepth)
		return 0
	}
	fewest := 1
	if v.p.Pattern == PatternAttributeBase {
		fewest = MinRuleConditions
	}
	if len(r.Conditions) < fewest {
		v.add(at+".conditions", ProblemCount, "at least %d conditions are required", fewest)
	}
	count := 0
	for i := range r.Conditions {
		count += v.ruleGroup(item(at+".conditions", i), &r.Conditions[i], depth+1)
	}
	return count
}

// ruleLeaf checks one comparison.
func (v *validation) ruleLeaf(at string, r *Rule) {
	a := Attribute{Key: r.Key, Operator: r.Operator, Value: r.Value}
	switch {
	case r.Key == "":
		v.add(at+".key", ProblemMissing, "a key is required")
		return
	case r.Operator == "":
		v.add(at+".operator", ProblemMissing, "an operator is required")
		return
	case !isOperator(r.Operator):
		v.add(at+".operator", ProblemUnknown, "operator %q is unknown", r.Operator)
		return
	}
	// The empty string is a value in rules: a prefix or delimiter may be empty.
	problems := len(v.Problems)
	v.value(at, a, 0)
	if len(v.Problems) > problems {
		return
	}
	if isClockKey(r.Key) {
		v.clockLeaf(at, r)
		return
	}
	_, resource := ruleAttribute(r.Key, resourceKeyPrefix)
	_, environment := ruleAttribute(r.Key, environmentKeyPrefix)
	switch {
	case !resource && !environment:
		v.add(at+".key", ProblemUnknown, "key %q is neither an attribute of the resource nor of the environment", r.Key)
	case v.p.Pattern != PatternAttributeBase:
		v.add(at+".key", ProblemPlace, "a time-based rule has no attributes")
	case !isStringOperator(r.Operator):
		v.add(at+".operator", ProblemPlace, "operator %s does not compare attributes", r.Operator)
	}
}

func isStringOperator(op Operator) bool { return strings.HasPrefix(string(op), "string") }

// clockLeaf checks a comparison of the clock. A date or instant belongs in a
// rule for once, a weekday or time of day in a weekly one.
func (v *validation) clockLeaf(at string, r *Rule) {
	once := r.Key == KeyCurrentDate || r.Key == KeyCurrentDateTime
	fits := false
	switch v.p.Pattern {
	case PatternOnce:
		fits = once
	case PatternWeeklyAllDay:
		fits = r.Key == KeyDayOfWeek
	case PatternWeekly, PatternWeeklyHours:
		fits = !once
	}
	if !fits {
		v.add(at+".key", ProblemPlace, "%s does not belong in a rule of pattern %s", r.Key, v.p.Pattern)
		return
	}
	if _, ok := compileClock(r); ok {
		return
	}
	if !clockOperatorFits(r) {
		v.add(at+".operator", ProblemPlace, "operator %s does not compare %s", r.Operator, r.Key)
		return
	}
	v.add(at+".value", ProblemValue, "%s", clockFormat(r.Key))
}

// clockOperatorFits reports whether an operator compares this part of the
// clock, whatever the value.
func clockOperatorFits(r *Rule) bool {
	if r.Key == KeyDayOfWeek {
		return r.Operator == OpDayOfWeekEquals || r.Operator == OpDayOfWeekAnyOf
	}
	kind, _ := splitClockOperator(r.Operator)
	switch r.Key {
	case KeyCurrentTime:
		return kind == "time" || kind == "dateTime"
	case KeyCurrentDate:
		return kind == "date"
	default:
		return kind == "dateTime"
	}
}

func clockFormat(key string) string {
	switch key {
	case KeyDayOfWeek:
		return ErrWeekday.Error()
	case KeyCurrentTime:
		return ErrTime.Error()
	case KeyCurrentDate:
		return ErrDate.Error()
	default:
		return ErrDateTime.Error()
	}
}
