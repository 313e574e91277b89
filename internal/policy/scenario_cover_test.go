package policy_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/policy"
)

// What the scenarios must speak of: everything that a policy or a decision can
// say. A new operator or reason fails here until a scenario shows what it does.
func TestScenariosSpeakOfEverything(t *testing.T) {
	files, err := filepath.Glob("testdata/scenarios/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("finding scenarios: %v, %d files", err, len(files))
	}
	cases, reasons, seen := 0, map[string]int{}, map[string]int{}
	for _, name := range files {
		var file scenarioFile
		readYAML(t, name, &file)
		for i := range file.Scenarios {
			sc := &file.Scenarios[i]
			cases += len(sc.Cases)
			for _, c := range sc.Cases {
				reasons[c.Expect]++
			}
			note(t, sc, seen)
		}
	}
	if cases < 850 {
		t.Errorf("there are %d cases", cases)
	}
	for r := policy.ReasonPolicy; r.String() != "unknown"; r++ {
		if reasons[r.String()] < 2 {
			t.Errorf("reason %s: %d cases", r, reasons[r.String()])
		}
	}
	for _, word := range []string{
		"stringEquals", "stringMatch", "stringExists", "stringEqualsAnyOf", "stringMatchAnyOf", "and", "or",
		"timeLessThan", "timeLessThanOrEquals", "timeGreaterThan", "timeGreaterThanOrEquals",
		"dateLessThan", "dateLessThanOrEquals", "dateGreaterThan", "dateGreaterThanOrEquals",
		"dateTimeLessThan", "dateTimeLessThanOrEquals", "dateTimeGreaterThan", "dateTimeGreaterThanOrEquals",
		"dayOfWeekEquals", "dayOfWeekAnyOf",
		"EQUALS", "EQUALS_IGNORE_CASE", "NOT_EQUALS", "NOT_EQUALS_IGNORE_CASE", "CONTAINS", "IN",
		"serviceName", "serviceType", "service_group_id", "region", "serviceInstance", "resourceType", "resource", "resourceGroupId",
		"enterpriseId", "AccountGroupId", "tag", "role custom", "group", "control",
		"user enabled", "user limited", "user monitor", "service_id enabled", "service_id limited", "service_id monitor",
		"service enabled", "service limited", "service monitor",
	} {
		if seen[word] == 0 {
			t.Errorf("no scenario has %s", word)
		}
	}
}

// note counts the words of the policies, groups and settings of a scenario.
func note(t *testing.T, sc *scenario, seen map[string]int) {
	t.Helper()
	in := sc.input(t, nil)
	for _, p := range in.Policies {
		for _, a := range slices.Concat(p.Subject, p.Resource) {
			seen[a.Key]++
			seen[string(a.Operator)]++
		}
		for _, a := range p.Tags {
			seen["tag"]++
			seen[string(a.Operator)]++
		}
		if p.Rule != nil {
			noteRule(p.Rule, seen)
		}
		if slices.ContainsFunc(p.RoleIDs, func(crn string) bool { return strings.Contains(crn, ":customRole:") }) {
			seen["role custom"]++
		}
	}
	for _, g := range in.Groups {
		seen["group"]++
		for _, r := range g.Rules {
			for _, c := range r.Conditions {
				seen[string(c.Operator)]++
			}
		}
	}
	seen["control"] += len(in.Controls)
	for kind, set := range sc.External {
		seen[kind+" "+set.Mode]++
	}
}

func noteRule(r *policy.Rule, seen map[string]int) {
	seen[string(r.Operator)]++
	for i := range r.Conditions {
		noteRule(&r.Conditions[i], seen)
	}
}
