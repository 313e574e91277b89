package app_test

import (
	"testing"

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
