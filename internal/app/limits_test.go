package app_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/idp"
	"github.com/kagiban/kagiban/internal/template"
)

func TestLimitsOfEnterprisesAreSettings(t *testing.T) {
	tree, templates := app.Limits(run(t, serve).App)
	if tree != enterprise.DefaultLimits || templates != template.DefaultLimits {
		t.Errorf("without settings: %+v, %+v", tree, templates)
	}
	tree, templates = app.Limits(run(t, func(c *app.Config) {
		serve(c)
		c.Enterprise = config.EnterpriseLimits{Accounts: 10000, Groups: 7, Tiers: 9, Templates: 11, TemplateVersions: 12}
	}).App)
	if tree != (enterprise.Limits{Accounts: 10000, Groups: 7, Tiers: 9}) || templates != (template.Limits{Templates: 11, Versions: 12}) {
		t.Errorf("with settings: %+v, %+v", tree, templates)
	}
}

func TestLimitsOfAccessAreSettings(t *testing.T) {
	if got := app.AccessLimits(run(t, serve).App); got != access.DefaultLimits {
		t.Errorf("without settings: %+v", got)
	}
	got := app.AccessLimits(run(t, func(c *app.Config) {
		serve(c)
		c.Access = config.AccessLimits{Policies: 100000, PoliciesPerSubject: 2, TagPolicies: 3, Groups: 4, GroupsPerMember: 5, RulesPerGroup: 6,
			CustomRoles: 7}
	}).App)
	if want := (access.Limits{Policies: 100000, PoliciesPerOwner: 2, TagPolicies: 3, Groups: 4, GroupsPerMember: 5, RulesPerGroup: 6,
		CustomRoles: 7}); got != want {
		t.Errorf("with settings: %+v, want %+v", got, want)
	}
}

func TestLimitsOfIdentitiesAreSettings(t *testing.T) {
	if got, idps := app.IdentityLimits(run(t, serve).App); got != identity.DefaultLimits || idps != idp.DefaultLimit {
		t.Errorf("without settings: %+v, %d", got, idps)
	}
	got, idps := app.IdentityLimits(run(t, func(c *app.Config) {
		serve(c)
		c.Identity = config.IdentityLimits{APIKeysPerIdentity: 1, ServiceIDsPerGroup: 2, ServiceIDGroups: 3, Profiles: 4, RulesPerProfile: 5,
			IdentitiesPerProfile: 6, LinksPerProfile: 7, Links: 8, IdentityProviders: 9}
	}).App)
	want := identity.Limits{APIKeysPerIdentity: 1, ServiceIDsPerGroup: 2, ServiceIDGroups: 3, Profiles: 4, RulesPerProfile: 5,
		IdentitiesPerProfile: 6, LinksPerProfile: 7, Links: 8}
	if got != want || idps != 9 {
		t.Errorf("with settings: %+v, %d", got, idps)
	}
}

// What is in force is what the report of limits says, whoever owns the limit.
func TestTheReportOfLimitsSaysWhatIsSet(t *testing.T) {
	s := run(t, func(c *app.Config) {
		c.Access.RulesPerGroup, c.Enterprise.Templates, c.Enterprise.TemplateVersions = 77, 777, 7777
		c.Identity = config.IdentityLimits{Profiles: 11, RulesPerProfile: 3, IdentityProviders: 12}
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
