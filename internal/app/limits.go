package app

import (
	"cmp"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/template"
)

// treeLimits are the configured limits of a tree; what is not set is the default.
func (c *Config) treeLimits() enterprise.Limits {
	set, usual := c.Settings.Enterprise, enterprise.DefaultLimits
	return enterprise.Limits{
		Tiers:    cmp.Or(set.Tiers, usual.Tiers),
		Groups:   cmp.Or(set.Groups, usual.Groups),
		Accounts: cmp.Or(set.Accounts, usual.Accounts),
	}
}

// templateLimits are the configured limits of templates.
func (c *Config) templateLimits() template.Limits {
	set, usual := c.Settings.Enterprise, template.DefaultLimits
	return template.Limits{
		Templates: cmp.Or(set.Templates, usual.Templates),
		Versions:  cmp.Or(set.TemplateVersions, usual.Versions),
	}
}
