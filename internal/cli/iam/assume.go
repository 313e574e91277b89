package iam

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/secret"
)

func assumeVerbs() []shell.Verb {
	return []shell.Verb{
		{
			Use:   "trusted-profile-assume [NAME|ID]",
			Short: "Act as a trusted profile, of this account or another",
			Long: `Act as a trusted profile until "kagiban iam trusted-profile-leave". A name is looked
for among all profiles that you may assume, in any account; see them with
"kagiban iam trusted-profiles --can-assume". Without a name, the profile that is
assumed now is shown.`,
			Args:   cobra.MaximumNArgs(1),
			Output: true,
			Run:    runAssume,
		},
		{
			Use:   "trusted-profile-leave",
			Short: "Go back to the identity that logged in",
			Run:   runLeave,
		},
	}
}

func runAssume(ctx context.Context, c *shell.Call) error {
	if len(c.Args) == 0 {
		return showAssumed(c)
	}
	if !c.Settings.LoggedIn() {
		return shell.ErrLoggedOut
	}
	wanted := c.Args[0]
	if !c.Quiet && !c.WantsJSON() {
		c.Blank()
	}
	c.Progress("Assuming trusted profile %s", wanted)
	base, list, err := assumable(ctx, c)
	if err != nil {
		return err
	}
	profile, err := chooseAssumable(list, wanted)
	if err != nil {
		return err
	}
	api, err := c.Endpoint()
	if err != nil {
		return err
	}
	token, err := api.Assume(ctx, base, profile.Value.ID)
	if err != nil {
		return err
	}
	claims, err := client.ParseClaims(token.Access)
	if err != nil {
		return err
	}
	err = c.Store.Update(func(set *settings.Settings) error {
		if !set.LoggedIn() { // another process has logged out meanwhile
			return shell.ErrLoggedOut
		}
		if set.AssumedProfile.ID == "" {
			set.Fallback = settings.Fallback{Account: set.Account, Tokens: set.Tokens}
		}
		set.Tokens = settings.Tokens{Access: token.Access, Refresh: token.Refresh}
		set.AssumedProfile = settings.Profile{ID: profile.Value.ID, Name: profile.Value.Name}
		// The session cannot know the name of another's account.
		set.Account = settings.Account{GUID: claims.Account.ID, Classic: claims.Account.Classic}
		set.ResourceGroup = settings.ResourceGroup{}
		return nil
	})
	if err != nil {
		return err
	}
	return c.Show([]client.Object[client.Profile]{profile}, func() {
		c.Say("Assumed Trusted Profile %s", profile.Value.ID)
	})
}

func showAssumed(c *shell.Call) error {
	assumed := c.Settings.AssumedProfile
	if assumed.ID == "" {
		return shell.Problem("No trusted profile is assumed. Assume one with: kagiban iam trusted-profile-assume NAME|ID")
	}
	if c.WantsJSON() {
		return c.JSON([]map[string]string{{"account_id": c.Settings.Account.GUID, "id": assumed.ID, "name": assumed.Name}})
	}
	c.Say("Assumed Trusted Profile %s", assumed.ID)
	return nil
}

// assumable lists what the identity that logged in may assume, and gives the
// token that it was asked with. A token that the server calls dead is renewed
// once.
func assumable(ctx context.Context, c *shell.Call) (secret.Value, []client.Object[client.Profile], error) {
	api, err := c.Endpoint()
	if err != nil {
		return secret.Value{}, nil, err
	}
	for dead := false; ; dead = true {
		base, err := c.BaseToken(ctx, dead)
		if err != nil {
			return secret.Value{}, nil, err
		}
		list, err := api.AssumableProfiles(ctx, base)
		var refused *client.ServerError
		if dead || !errors.As(err, &refused) || refused.Status >= http.StatusInternalServerError {
			return base, list, err
		}
	}
}

// chooseAssumable picks a profile by ID or name. An ID that is not in the list
// is tried all the same: the server says why it may not be assumed.
func chooseAssumable(list []client.Object[client.Profile], wanted string) (client.Object[client.Profile], error) {
	var named []client.Object[client.Profile]
	for _, p := range list {
		if p.Value.ID == wanted || p.Value.CRN == wanted {
			return p, nil
		}
		if p.Value.Name == wanted {
			named = append(named, p)
		}
	}
	switch {
	case len(named) == 1:
		return named[0], nil
	case len(named) > 1:
		lines := make([]string, len(named))
		for i, p := range named {
			lines[i] = fmt.Sprintf("  %s in account %s", p.Value.ID, p.Value.AccountID)
		}
		return client.Object[client.Profile]{}, shell.Problemf("Several trusted profiles are named %s. Give the ID of one of them:\n%s", wanted,
			strings.Join(lines, "\n"))
	case strings.HasPrefix(wanted, Profiles.Prefix):
		return client.Object[client.Profile]{Value: client.Profile{ID: wanted}}, nil
	}
	return client.Object[client.Profile]{},
		shell.Problemf("Trusted profile %s is not among those that you may assume. List them with: kagiban iam trusted-profiles --can-assume",
			wanted)
}

func runLeave(_ context.Context, c *shell.Call) error {
	const none = shell.Problem("No trusted profile is assumed.")
	assumed := c.Settings.AssumedProfile
	if assumed.ID == "" {
		return none
	}
	if !c.Quiet {
		c.Blank()
	}
	c.Progress("Leaving trusted profile %s", firstOf(assumed.Name, assumed.ID))
	err := c.Store.Update(func(set *settings.Settings) error {
		if set.AssumedProfile.ID == "" { // another process has left it meanwhile
			return none
		}
		set.Tokens, set.Account = set.Fallback.Tokens, set.Fallback.Account
		set.AssumedProfile, set.Fallback = settings.Profile{}, settings.Fallback{}
		set.ResourceGroup = settings.ResourceGroup{}
		c.Settings = *set
		return nil
	})
	if err != nil {
		return err
	}
	claims, err := client.ParseClaims(c.Settings.Tokens.Access)
	if err != nil {
		return err
	}
	c.Done("Back to %s in account %s", claims.User(), c.Settings.Account.GUID)
	return nil
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
