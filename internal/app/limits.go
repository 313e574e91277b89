package app

import (
	"cmp"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/template"
)

// treeLimits are the configured limits of a tree; what is not set is the default.
func (c *Config) treeLimits() enterprise.Limits {
	set := c.Settings.Enterprise
	return enterprise.Limits{Tiers: set.Tiers, Groups: set.Groups, Accounts: set.Accounts}
}

// accessLimits are the configured limits of what gives access.
func (c *Config) accessLimits() access.Limits {
	set, usual := c.Settings.Access, access.DefaultLimits
	return access.Limits{
		Policies:         cmp.Or(set.Policies, usual.Policies),
		PoliciesPerOwner: cmp.Or(set.PoliciesPerSubject, usual.PoliciesPerOwner),
		TagPolicies:      cmp.Or(set.TagPolicies, usual.TagPolicies),
		Groups:           cmp.Or(set.Groups, usual.Groups),
		GroupsPerMember:  cmp.Or(set.GroupsPerMember, usual.GroupsPerMember),
		RulesPerGroup:    cmp.Or(set.RulesPerGroup, usual.RulesPerGroup),
		CustomRoles:      cmp.Or(set.CustomRoles, usual.CustomRoles),
	}
}

// identityLimits are the configured limits of identities.
func (c *Config) identityLimits() identity.Limits {
	set, usual := c.Settings.Identity, identity.DefaultLimits
	return identity.Limits{
		APIKeysPerIdentity:   cmp.Or(set.APIKeysPerIdentity, usual.APIKeysPerIdentity),
		ServiceIDsPerGroup:   cmp.Or(set.ServiceIDsPerGroup, usual.ServiceIDsPerGroup),
		ServiceIDGroups:      cmp.Or(set.ServiceIDGroups, usual.ServiceIDGroups),
		Profiles:             cmp.Or(set.Profiles, usual.Profiles),
		RulesPerProfile:      cmp.Or(set.RulesPerProfile, usual.RulesPerProfile),
		LinksPerProfile:      cmp.Or(set.LinksPerProfile, usual.LinksPerProfile),
		Links:                cmp.Or(set.Links, usual.Links),
		IdentitiesPerProfile: cmp.Or(set.IdentitiesPerProfile, usual.IdentitiesPerProfile),
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
