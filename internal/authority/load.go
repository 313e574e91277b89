package authority

import (
	"context"
	"errors"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// read reads one consistent state together with its place in the log.
func (a *Authority) read(ctx context.Context, fn func(store.Reader, store.LogReader) error) error {
	return a.db.View(ctx, func(r store.Reader) error {
		log, ok := r.(store.LogReader)
		if !ok {
			return errors.New("the store's reader cannot read the log")
		}
		return fn(r, log)
	})
}

// load reads everything that gives access in an account, in one consistent state.
func (a *Authority) load(ctx context.Context, accountID string, catalog *policy.Catalog) (*built, error) {
	a.loads.Add(1)
	in := policy.Input{Account: accountID, Catalog: catalog}
	err := a.read(ctx, func(r store.Reader, log store.LogReader) (err error) {
		acct, err := account.Accounts.Get(ctx, r, accountID, accountID)
		if err != nil {
			return err
		}
		in.Owner, in.State = acct.Owner, policy.AccountState(acct.State)
		if in.Seq, err = log.Head(ctx, accountID); err != nil {
			return err
		}
		settings, err := access.SettingsOf(ctx, r, accountID)
		if err != nil {
			return err
		}
		in.PublicAccess, in.External = !settings.PublicAccessOff, settings.External
		rules, err := settingsOf(ctx, r, accountID)
		if err != nil {
			return err
		}
		in.Demands, in.Restricted = a.demands(rules), restricted(rules)
		if in.Policies, err = loadPolicies(ctx, r, accountID); err != nil {
			return err
		}
		if in.Groups, err = loadGroups(ctx, r, accountID); err != nil {
			return err
		}
		return loadRolesAndControls(ctx, r, &in)
	})
	if err != nil {
		return nil, err
	}
	return &built{snapshot: policy.NewSnapshot(in), covered: in.Seq}, nil
}

func loadPolicies(ctx context.Context, r store.Reader, accountID string) ([]*policy.Policy, error) {
	stored, err := access.Policies.Scan(ctx, r, store.Query{Account: accountID, Parent: string(policy.StateActive)})
	if err != nil {
		return nil, err
	}
	out := make([]*policy.Policy, len(stored))
	for i, p := range stored {
		out[i] = engineForm(p)
	}
	return out, nil
}

// engineForm gives the document with the identity that lives in the metadata.
func engineForm(p *access.Policy) *policy.Policy {
	d := p.Doc
	d.ID, d.Account = p.ID, p.Account
	return &d
}

func loadGroups(ctx context.Context, r store.Reader, accountID string) ([]policy.Group, error) {
	all := store.Query{Account: accountID, Order: store.ByID}
	groups, err := access.Groups.Scan(ctx, r, all)
	if err != nil {
		return nil, err
	}
	members, err := access.Members.IDs(ctx, r, all) // they say all: see MemberID
	if err != nil {
		return nil, err
	}
	rules, err := access.GroupRules.Scan(ctx, r, all)
	if err != nil {
		return nil, err
	}
	out := make([]policy.Group, len(groups))
	at := make(map[string]*policy.Group, len(groups))
	for i, g := range groups {
		out[i] = policy.Group{ID: g.ID, Name: g.Name}
		at[g.ID] = &out[i]
	}
	for _, m := range members {
		group, iamID := access.SplitMemberID(m)
		if g := at[group]; g != nil {
			g.Members = append(g.Members, iamID)
		}
	}
	for _, rule := range rules {
		if g := at[rule.Parent]; g != nil {
			g.Rules = append(g.Rules, ruleForm(rule))
		}
	}
	return out, nil
}

// loadGroup reads one group with its members and rules.
func loadGroup(ctx context.Context, r store.Reader, accountID, groupID string) (policy.Group, error) {
	g, err := access.Groups.Get(ctx, r, accountID, groupID)
	if err != nil {
		return policy.Group{}, err
	}
	out := policy.Group{ID: g.ID, Name: g.Name}
	members, err := access.Members.List(ctx, r, store.Query{Account: accountID, Parent: groupID, Order: store.ByID})
	if err != nil {
		return out, err
	}
	for _, m := range members {
		out.Members = append(out.Members, m.Owner)
	}
	rules, err := access.GroupRules.List(ctx, r, store.Query{Account: accountID, Parent: groupID, Order: store.ByID})
	for _, rule := range rules {
		out.Rules = append(out.Rules, ruleForm(rule))
	}
	return out, err
}

func ruleForm(r *access.GroupRule) policy.DynamicRule {
	return policy.DynamicRule{ID: r.ID, Realm: r.RealmName, Expiration: time.Duration(r.Hours) * time.Hour,
		Conditions: r.Conditions}
}

func loadRolesAndControls(ctx context.Context, r store.Reader, in *policy.Input) error {
	all := store.Query{Account: in.Account, Order: store.ByID}
	roles, err := access.CustomRoles.List(ctx, r, all)
	if err != nil {
		return err
	}
	for _, role := range roles {
		in.CustomRoles = append(in.CustomRoles, role.Form())
	}
	controls, err := access.Controls.List(ctx, r, all)
	if err != nil {
		return err
	}
	for _, c := range controls {
		in.Controls = append(in.Controls, controlForm(c))
	}
	return nil
}

func controlForm(c *access.Control) policy.ActionControl {
	return policy.ActionControl{ID: c.ID, Service: c.Service, Actions: c.Actions}
}
