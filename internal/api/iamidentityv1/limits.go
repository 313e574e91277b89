package iamidentityv1

import (
	"context"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/template/kinds"
	"github.com/kagiban/kagiban/internal/valid"
)

func (a *API) limitRows() []httpapi.Operation {
	const path = "/v1/accounts/{account_id}/limits/identity"
	const action = "iam-identity.account.get"
	return httpapi.Table(Family,
		httpapi.Op[getLimitsIn, askedUsage, Limits]{ID: "get_account_limits", Method: "GET", Path: path, Status: 200,
			Action: action, Find: findUsage[getLimitsIn], Do: limitsOf[getLimitsIn](a)},
		httpapi.Op[postLimitsIn, askedUsage, Limits]{ID: "bulk_list_account_entity_consumption", Method: "POST", Path: path, Status: 200,
			Action: action, Find: findUsage[postLimitsIn], Do: limitsOf[postLimitsIn](a)},
	)
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

// usageIn is what a client wants to have counted.
type usageIn struct {
	ServiceIDGroups    bool     `query:"serviceid_groups" json:"serviceid_groups"`
	ServiceIDsOfGroups []string `query:"serviceids_per_group" json:"serviceids_per_group"`
	Profiles           bool     `query:"profiles" json:"profiles"`
	KeysOfIdentities   []string `query:"apikeys_per_identity" json:"apikeys_per_identity"`
	Templates          bool     `query:"templates" json:"templates"`
	VersionsOf         []string `query:"template_versions_per_template" json:"template_versions_per_template"`
	IdPs               bool     `query:"idps" json:"idps"`
	RulesOfGroups      []string `query:"claim_rules_per_group" json:"claim_rules_per_group"`
	RulesOf            []string `query:"claim_rules_per_profile" json:"claim_rules_per_profile"`
	Links              bool     `query:"cr_links" json:"cr_links"`
	LinksOf            []string `query:"cr_links_per_profile" json:"cr_links_per_profile"`
	ComputeRules       bool     `query:"cr_rules" json:"cr_rules"`
	ComputeRulesOf     []string `query:"cr_rules_per_profile" json:"cr_rules_per_profile"`
}

type getLimitsIn struct {
	accountRef
	usageIn
}

func (in getLimitsIn) usage() *usageIn { return &in.usageIn }

type postLimitsIn struct {
	accountRef
	Body usageIn
}

func (in postLimitsIn) usage() *usageIn { return &in.Body }

// askedUsage is what is to be counted: what package identity owns, and the rest.
type askedUsage struct {
	account string
	own     valid.Of[identity.Usage]
	all     *usageIn
}

func findUsage[In interface {
	usage() *usageIn
	accountID() string
}](_ context.Context, c *httpapi.Call, in *In) (asked askedUsage, t httpapi.Target, err error) {
	u := (*in).usage()
	asked = askedUsage{account: (*in).accountID(), all: u}
	asked.own, err = valid.Check(identity.Usage{
		ServiceIDGroups: u.ServiceIDGroups, Profiles: u.Profiles, Links: u.Links, ComputeRules: u.ComputeRules,
		ServiceIDsOfGroups: u.ServiceIDsOfGroups, KeysOfIdentities: u.KeysOfIdentities,
		RulesOf: u.RulesOf, LinksOf: u.LinksOf, ComputeRulesOf: u.ComputeRulesOf,
	})
	if err == nil {
		err = identity.CheckUsageIDs("template_versions_per_template", u.VersionsOf)
	}
	if err == nil {
		err = identity.CheckUsageIDs("claim_rules_per_group", u.RulesOfGroups)
	}
	c.Seeks("Account", asked.account)
	return asked, target(asked.account, typeSettings, ""), err
}

func limitsOf[In any](a *API) func(context.Context, *httpapi.Call, *In, askedUsage) (*Limits, error) {
	return func(ctx context.Context, _ *httpapi.Call, _ *In, asked askedUsage) (*Limits, error) {
		n, err := a.ids.Usage(ctx, asked.account, asked.own)
		if err != nil {
			return nil, err
		}
		out := wireLimits(a.ids.Limits(), n)
		return out, a.addForeign(ctx, out, &asked)
	}
}

func wireLimits(l identity.Limits, n *identity.Counts) *Limits {
	group := func(c identity.Count) groupCount { return groupCount(c) }
	profile := func(c identity.Count) profileCount { return profileCount(c) }
	return &Limits{
		ServiceIDGroups:    LimitCount{l.ServiceIDGroups, n.ServiceIDGroups},
		ServiceIDsPerGroup: groupsUse{l.ServiceIDsPerGroup, lists.Map(n.ServiceIDsOfGroups, group)},
		Profiles:           LimitCount{l.Profiles, n.Profiles},
		APIKeysPerIdentity: idsUse{l.APIKeysPerIdentity, lists.Map(n.KeysOfIdentities, func(c identity.Count) idCount { return idCount(c) })},
		RulesPerProfile:    profsUse{l.RulesPerProfile, lists.Map(n.RulesOf, profile)},
		CRLinks:            LimitCount{l.Links, n.Links},
		CRLinksPerProfile:  profsUse{l.LinksPerProfile, lists.Map(n.LinksOf, profile)},
		CRRules:            LimitCount{l.ComputeRules(), n.ComputeRules},
		CRRulesPerProfile:  profsUse{l.RulesPerProfile, lists.Map(n.ComputeRulesOf, profile)},
	}
}

// addForeign adds the limits that other packages own.
func (a *API) addForeign(ctx context.Context, out *Limits, asked *askedUsage) (err error) {
	in, templates := asked.all, a.templates.Limits()
	out.ProfileTemplates.Limit, out.SettingsTemplates.Limit = templates.Templates, templates.Templates
	out.VersionsPerTemplate.Limit, out.RulesPerGroup.Limit, out.IdPs.Limit = templates.Versions, a.access.Limits().RulesPerGroup,
		a.idps.Limits().IdPs
	if in.Templates {
		out.ProfileTemplates.Count = counted(&err, func() (int, error) { return a.templates.Count(ctx, asked.account, kinds.Profile) })
		out.SettingsTemplates.Count = counted(&err, func() (int, error) { return a.templates.Count(ctx, asked.account, kinds.Settings) })
	}
	if in.IdPs {
		out.IdPs.Count = counted(&err, func() (int, error) { return a.idps.Count(ctx, asked.account) })
	}
	out.VersionsPerTemplate.List = lists.Map(in.VersionsOf, func(id string) templateCount {
		return templateCount{id, *counted(&err, func() (int, error) { return a.templates.CountVersions(ctx, asked.account, id) })}
	})
	out.RulesPerGroup.List = lists.Map(in.RulesOfGroups, func(id string) groupCount {
		return groupCount{id, *counted(&err, func() (int, error) { return a.access.CountRules(ctx, asked.account, id) })}
	})
	return err
}

// counted counts unless something has failed, and keeps the first error.
func counted(failed *error, count func() (int, error)) *int {
	n := 0
	if *failed == nil {
		n, *failed = count()
	}
	return &n
}
