package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
)

func (a *API) limitRows() []httpapi.Operation {
	const path = "/v1/accounts/{account_id}/limits/identity"
	return []httpapi.Operation{
		httpapi.OldOp(Family, "get_account_limits", "GET", path, 200, act("account.get"), at[getLimitsIn](a), a.getLimits),
		httpapi.OldOp(Family, "bulk_list_account_entity_consumption", "POST", path, 200, act("account.get"), at[postLimitsIn](a), a.postLimits),
	}
}

// LimitCount is a limit and, when it was asked for, how much of it is used.
type LimitCount struct {
	Limit int  `json:"limit"`
	Count *int `json:"count,omitempty"`
}

// Limits is the answer that shows an account's limits.
type Limits struct {
	ServiceIDGroups     LimitCount `json:"serviceid_groups"`
	ServiceIDsPerGroup  groupsUse  `json:"serviceids_per_group"`
	Profiles            LimitCount `json:"profiles"`
	APIKeysPerIdentity  idsUse     `json:"apikeys_per_identity"`
	ProfileTemplates    LimitCount `json:"profile_templates"`
	SettingsTemplates   LimitCount `json:"account_settings_templates"`
	VersionsPerTemplate templsUse  `json:"template_versions_per_template"`
	IdPs                LimitCount `json:"idps"`
	RulesPerGroup       accessUse  `json:"claim_rules_per_group"`
	RulesPerProfile     profsUse   `json:"claim_rules_per_profile"`
	CRLinks             LimitCount `json:"cr_links"`
	CRLinksPerProfile   profsUse   `json:"cr_links_per_profile"`
	CRRules             LimitCount `json:"cr_rules"`
	CRRulesPerProfile   profsUse   `json:"cr_rules_per_profile"`
}

// The uses of a limit that holds for each of several objects.
type (
	groupsUse struct {
		Limit int          `json:"limit"`
		List  []groupCount `json:"serviceid_groups,omitempty"`
	}
	idsUse struct {
		Limit int       `json:"limit"`
		List  []idCount `json:"identities,omitempty"`
	}
	templsUse struct {
		Limit int             `json:"limit"`
		List  []templateCount `json:"templates,omitempty"`
	}
	accessUse struct {
		Limit int          `json:"limit"`
		List  []groupCount `json:"access_groups,omitempty"`
	}
	profsUse struct {
		Limit int            `json:"limit"`
		List  []profileCount `json:"profiles,omitempty"`
	}
	groupCount struct {
		ID    string `json:"group_id"`
		Count int    `json:"count"`
	}
	idCount struct {
		ID    string `json:"iam_id"`
		Count int    `json:"count"`
	}
	templateCount struct {
		ID    string `json:"template_id"`
		Count int    `json:"count"`
	}
	profileCount struct {
		ID    string `json:"profile_id"`
		Count int    `json:"count"`
	}
)

func wireLimits(l identity.Limits, n *identity.Counts) *Limits {
	groups := func(c identity.Count) groupCount { return groupCount(c) }
	profiles := func(c identity.Count) profileCount { return profileCount(c) }
	return &Limits{
		ServiceIDGroups:     LimitCount{l.ServiceIDGroups, n.ServiceIDGroups},
		ServiceIDsPerGroup:  groupsUse{l.ServiceIDsPerGroup, each(n.ServiceIDsOfGroups, groups)},
		Profiles:            LimitCount{l.Profiles, n.Profiles},
		APIKeysPerIdentity:  idsUse{l.APIKeysPerIdentity, each(n.KeysOfIdentities, func(c identity.Count) idCount { return idCount(c) })},
		ProfileTemplates:    LimitCount{l.ProfileTemplates, n.ProfileTemplates},
		SettingsTemplates:   LimitCount{l.SettingsTemplates, n.SettingsTemplates},
		VersionsPerTemplate: templsUse{l.VersionsPerTemplate, each(n.VersionsOf, func(c identity.Count) templateCount { return templateCount(c) })},
		IdPs:                LimitCount{l.IdentityProviders, n.IdentityProviders},
		RulesPerGroup:       accessUse{l.RulesPerAccessGroup, each(n.RulesOfGroups, groups)},
		RulesPerProfile:     profsUse{l.RulesPerProfile, each(n.RulesOf, profiles)},
		CRLinks:             LimitCount{l.Links, n.Links},
		CRLinksPerProfile:   profsUse{l.LinksPerProfile, each(n.LinksOf, profiles)},
		CRRules:             LimitCount{l.ComputeRules, n.ComputeRules},
		CRRulesPerProfile:   profsUse{l.ComputeRulesPerProf, each(n.ComputeRulesOf, profiles)},
	}
}

func each[T any](list []identity.Count, as func(identity.Count) T) (out []T) {
	for _, c := range list {
		out = append(out, as(c))
	}
	return out
}

type getLimitsIn struct {
	accountRef
	ServiceIDGroups    bool     `query:"serviceid_groups"`
	ServiceIDsOfGroups []string `query:"serviceids_per_group"`
	Profiles           bool     `query:"profiles"`
	KeysOfIdentities   []string `query:"apikeys_per_identity"`
	Templates          bool     `query:"templates"`
	VersionsOf         []string `query:"template_versions_per_template"`
	IdPs               bool     `query:"idps"`
	RulesOfGroups      []string `query:"claim_rules_per_group"`
	RulesOf            []string `query:"claim_rules_per_profile"`
	Links              bool     `query:"cr_links"`
	LinksOf            []string `query:"cr_links_per_profile"`
	ComputeRules       bool     `query:"cr_rules"`
	ComputeRulesOf     []string `query:"cr_rules_per_profile"`
}

func (in *getLimitsIn) usage() identity.Usage {
	return identity.Usage{
		ServiceIDGroups: in.ServiceIDGroups, Profiles: in.Profiles, Templates: in.Templates, IdentityProviders: in.IdPs,
		Links: in.Links, ComputeRules: in.ComputeRules, ServiceIDsOfGroups: in.ServiceIDsOfGroups, KeysOfIdentities: in.KeysOfIdentities,
		VersionsOf: in.VersionsOf, RulesOfGroups: in.RulesOfGroups, RulesOf: in.RulesOf, LinksOf: in.LinksOf, ComputeRulesOf: in.ComputeRulesOf,
	}
}

// Validate bounds the lists.
func (in *getLimitsIn) Validate() error {
	u := in.usage()
	return u.Validate()
}

func (a *API) getLimits(ctx context.Context, _ *httpapi.Call, in *getLimitsIn) (*Limits, error) {
	return a.limits(ctx, in.AccountID, in.usage())
}

type postLimitsIn struct {
	accountRef
	Body struct {
		ServiceIDGroups    bool     `json:"serviceid_groups"`
		ServiceIDsOfGroups []string `json:"serviceids_per_group"`
		Profiles           bool     `json:"profiles"`
		KeysOfIdentities   []string `json:"apikeys_per_identity"`
		Templates          bool     `json:"templates"`
		VersionsOf         []string `json:"template_versions_per_template"`
		IdPs               bool     `json:"idps"`
		RulesOfGroups      []string `json:"claim_rules_per_group"`
		RulesOf            []string `json:"claim_rules_per_profile"`
		Links              bool     `json:"cr_links"`
		LinksOf            []string `json:"cr_links_per_profile"`
		ComputeRules       bool     `json:"cr_rules"`
		ComputeRulesOf     []string `json:"cr_rules_per_profile"`
	}
}

func (in *postLimitsIn) usage() identity.Usage {
	b := &in.Body
	return identity.Usage{
		ServiceIDGroups: b.ServiceIDGroups, Profiles: b.Profiles, Templates: b.Templates, IdentityProviders: b.IdPs,
		Links: b.Links, ComputeRules: b.ComputeRules, ServiceIDsOfGroups: b.ServiceIDsOfGroups, KeysOfIdentities: b.KeysOfIdentities,
		VersionsOf: b.VersionsOf, RulesOfGroups: b.RulesOfGroups, RulesOf: b.RulesOf, LinksOf: b.LinksOf, ComputeRulesOf: b.ComputeRulesOf,
	}
}

// Validate bounds the lists.
func (in *postLimitsIn) Validate() error {
	u := in.usage()
	return u.Validate()
}

func (a *API) postLimits(ctx context.Context, _ *httpapi.Call, in *postLimitsIn) (*Limits, error) {
	return a.limits(ctx, in.AccountID, in.usage())
}

func (a *API) limits(ctx context.Context, accountID string, u identity.Usage) (*Limits, error) {
	n, err := a.ids.Usage(ctx, accountID, u)
	if err != nil {
		return nil, err
	}
	return wireLimits(a.ids.Limits, n), nil
}
