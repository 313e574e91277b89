package app_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/limit"
)

// inForce gives the bounds of a server by the names of their settings.
func inForce(a *app.App) map[string]int {
	all := map[string]int{}
	for _, row := range app.Limits(a) {
		all[row.Key] = *row.To
	}
	return all
}

func TestWhatIsSetBindsTheServiceThatOwnsTheLimit(t *testing.T) {
	usual, set := map[string]int{}, map[string]int{}
	var environ []string
	for _, s := range config.Table() {
		if strings.Contains(s.Key, ".max_") {
			n, err := strconv.Atoi(s.Default)
			if err != nil {
				t.Fatal(err)
			}
			usual[s.Key], set[s.Key] = n, max(2, n-1)
			environ = append(environ, s.Env()+"="+strconv.Itoa(set[s.Key]))
		}
	}
	if diff := cmp.Diff(usual, inForce(run(t, serve).App)); diff != "" || len(usual) < 20 {
		t.Errorf("without settings, of %d (-want +got):\n%s", len(usual), diff)
	}
	from, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	got := inForce(run(t, func(c *app.Config) {
		serve(c)
		c.Identity, c.IdPs, c.Access, c.Enterprise, c.Templates = from.Identity, from.IdPs, from.Access, from.Enterprise, from.Templates
	}).App)
	if diff := cmp.Diff(set, got); diff != "" {
		t.Errorf("with settings (-want +got):\n%s", diff)
	}
}

func TestABoundThatIsNotSetIsTheUsualOne(t *testing.T) {
	a, b := 0, 7
	limit.Fill([]limit.Row{{To: &a, Usual: 5}, {To: &b, Usual: 5}})
	if a != 5 || b != 7 {
		t.Errorf("%d, %d", a, b)
	}
}

// What is in force is what the report of limits says, whoever owns the limit.
func TestTheReportOfLimitsSaysWhatIsSet(t *testing.T) {
	s := run(t, func(c *app.Config) {
		c.Access.RulesPerGroup, c.Templates.Templates, c.Templates.Versions = 77, 777, 7777
		c.Identity.Profiles, c.Identity.RulesPerProfile, c.IdPs.IdPs = 11, 3, 12
	})
	type limit struct{ Limit int }
	var got map[string]limit
	s.want(200, "GET", "/v1/accounts/"+s.Demo().Root+"/limits/identity", "", &got, s.owner()...)
	want := map[string]limit{"claim_rules_per_group": {77}, "profile_templates": {777}, "account_settings_templates": {777},
		"template_versions_per_template": {7777}, "profiles": {11}, "claim_rules_per_profile": {3}, "cr_rules": {33}, "cr_rules_per_profile": {3},
		"idps": {12}, "serviceid_groups": {100}, "serviceids_per_group": {2000}, "apikeys_per_identity": {20}, "cr_links": {20000},
		"cr_links_per_profile": {1000}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
