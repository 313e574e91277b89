package app_test

import (
	"testing"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/enterprise"
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
		c.Access = config.AccessLimits{Policies: 100000, PoliciesPerSubject: 2, TagPolicies: 3, Groups: 4, GroupsPerMember: 5, RulesPerGroup: 6, CustomRoles: 7}
	}).App)
	if want := (access.Limits{Policies: 100000, PoliciesPerOwner: 2, TagPolicies: 3, Groups: 4, GroupsPerMember: 5, RulesPerGroup: 6, CustomRoles: 7}); got != want {
		t.Errorf("with settings: %+v, want %+v", got, want)
	}
}
