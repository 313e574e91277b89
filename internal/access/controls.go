package access

import (
	"context"
	"errors"
	"slices"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// What the action controls of templates let an account do to objects that its
// enterprise made there.

// closedByEnterprise refuses an addition that action controls rule out.
func closedByEnterprise(what string) error {
	return &fault.Error{Kind: fault.Forbidden, Code: "insufficent_permissions",
		Message: "The enterprise does not let this account add " + what + "."}
}

// groupTakes refuses to give a policy to a group of the enterprise whose template
// does not let the account add policies, profileTakes to such a trusted profile.
// Templates themselves are not bound.
func groupTakes(g *Group, p *Policy) error {
	if p.Template == nil && g.Template != nil && !g.Controls.AddPolicies {
		return closedByEnterprise("policies to this access group")
	}
	return nil
}

func profileTakes(ctx context.Context, r store.Reader, p *Policy) error {
	if p.Template != nil {
		return nil
	}
	profile, err := profileOf(ctx, r, p)
	if err == nil && profile != nil && profile.Template != "" && !profile.Controls.Policies.Add {
		return closedByEnterprise("policies to this trusted profile")
	}
	return err
}

// mayTake refuses to take away a policy that a template gave, unless it came
// with a profile whose template lets the account.
func mayTake(ctx context.Context, r store.Reader, p *Policy) error {
	if p.Template == nil {
		return nil
	}
	profile, err := profileOf(ctx, r, p)
	if err != nil {
		return err
	}
	if profile != nil && profile.Template == p.Template.RootID && profile.Controls.Policies.Remove {
		return nil
	}
	return managedByEnterprise("policy")
}

// profileOf gives the trusted profile of the policy's account that is its
// subject, nil when it is none.
func profileOf(ctx context.Context, r store.Reader, p *Policy) (*identity.Profile, error) {
	objectID, ok := id.OfIAM(p.Owner)
	if !ok {
		return nil, nil
	}
	profile, err := identity.Profiles.Get(ctx, r, p.Account, objectID)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	return profile, err
}

// NoOwnPolicies refuses, with what is in the way, when the account gave
// policies to a subject that its enterprise made and name names.
func NoOwnPolicies(ctx context.Context, r store.Reader, account, subject, what, name string) error {
	own, err := ownPolicies(ctx, r, account, subject)
	if err != nil {
		return err
	}
	return identity.ControlConflict(what, name, own)
}

func ownPolicies(ctx context.Context, r store.Reader, account, subject string) ([]string, error) {
	list, err := Policies.List(ctx, r, store.Query{Account: account, Owner: subject, Parent: string(policy.StateActive)})
	var own []string
	for _, p := range list {
		if p.Template == nil {
			own = append(own, "policy "+p.ID)
		}
	}
	return own, err
}

// noGroupAdditions refuses controls that rule out what the account added:
// taking it away would break access there.
func noGroupAdditions(ctx context.Context, r store.Reader, g *Group, m *ManagedGroup) error {
	parts := store.Query{Account: g.Account, Parent: g.ID}
	var own []string
	if !m.Controls.AddMembers {
		members, err := Members.List(ctx, r, parts)
		if err != nil {
			return err
		}
		for _, x := range members {
			if !x.Managed && !slices.ContainsFunc(m.Members, func(n NewMember) bool { return n.IAMID == x.Owner }) {
				own = append(own, "member "+x.Owner)
			}
		}
	}
	if !m.Controls.AddRules {
		rules, err := GroupRules.List(ctx, r, parts)
		if err != nil {
			return err
		}
		for _, x := range rules {
			if !x.Managed {
				own = append(own, "rule "+x.ID)
			}
		}
	}
	if !m.Controls.AddPolicies {
		policies, err := ownPolicies(ctx, r, g.Account, g.ID)
		if err != nil {
			return err
		}
		own = append(own, policies...)
	}
	return identity.ControlConflict("access group", g.Name, own)
}
