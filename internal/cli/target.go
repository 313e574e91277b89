package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/secret"
)

// target is one run of the target verb.
type target struct {
	*shell.Call
	account, group, region  string
	unsetGroup, unsetRegion bool
}

func targetCommand(sh *shell.Shell) *cobra.Command {
	var t target
	return sh.Command(shell.Verb{
		Use:    "target",
		Short:  "Show or change the targeted account, region and resource group",
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVarP(&t.account, "account", "c", "", "ID of the account to switch to")
			f.StringVarP(&t.group, "group", "g", "", "name or ID of the resource group")
			f.BoolVar(&t.unsetGroup, "unset-resource-group", false, "target no resource group")
			f.StringVarP(&t.region, "region", "r", "", "region")
			f.BoolVar(&t.unsetRegion, "unset-region", false, "target no region")
		},
		Run: func(ctx context.Context, c *shell.Call) error {
			t.Call = c
			return t.run(ctx)
		},
	})
}

func (t *target) run(ctx context.Context) error {
	switch {
	case t.group != "" && t.unsetGroup:
		return shell.Usagef("-g and --unset-resource-group cannot be combined")
	case t.region != "" && t.unsetRegion:
		return shell.Usagef("-r and --unset-region cannot be combined")
	case !t.Settings.LoggedIn():
		return shell.ErrLoggedOut
	}
	if t.account != "" && t.account != t.Settings.Account.GUID {
		if err := t.switchTo(ctx); err != nil {
			return err
		}
	}
	if err := t.retarget(ctx); err != nil {
		return err
	}
	return printTarget(t.Call, t.Settings)
}

func (t *target) say(format string, args ...any) {
	if !t.Quiet && !t.WantsJSON() {
		t.Say(format, args...)
	}
}

// switchTo moves the session to another account.
func (t *target) switchTo(ctx context.Context) error {
	session, err := t.Session(ctx)
	if err != nil {
		return err
	}
	if session.Account() == t.account { // logged in with --no-account
		return t.change(func(set *settings.Settings) {
			set.Account = describeAccount(ctx, session.API, session.Claims)
		})
	}
	token, err := switchAccount(ctx, t.Call, session.API, t.Settings.Tokens.Refresh, t.account)
	if err != nil {
		return err
	}
	claims, err := client.ParseClaims(token.Access)
	if err != nil {
		return err
	}
	authorized := session.API.WithBearer(func(context.Context, bool) (secret.Value, error) { return token.Access, nil })
	account := describeAccount(ctx, authorized, claims)
	err = t.change(func(set *settings.Settings) {
		set.Tokens = settings.Tokens{Access: token.Access, Refresh: token.Refresh}
		set.Account, set.ResourceGroup = account, settings.ResourceGroup{}
		set.AssumedProfile, set.Fallback = settings.Profile{}, settings.Fallback{}
	})
	t.say("Targeted account %s", accountText(account))
	return err
}

// retarget changes region and resource group.
func (t *target) retarget(ctx context.Context) error {
	if t.region != "" || t.unsetRegion {
		if err := t.change(func(set *settings.Settings) { set.Region = t.region }); err != nil {
			return err
		}
		if t.region != "" {
			t.say("Switched to region %s", t.region)
		}
	}
	if t.unsetGroup {
		return t.change(func(set *settings.Settings) { set.ResourceGroup = settings.ResourceGroup{} })
	}
	if t.group == "" {
		return nil
	}
	session, err := t.Session(ctx)
	if err != nil {
		return err
	}
	group, err := findResourceGroup(ctx, session.API, session.Account(), t.group)
	if err != nil {
		return err
	}
	t.say("Targeted resource group %s", group.Name)
	return t.change(func(set *settings.Settings) { set.ResourceGroup = group })
}

func (t *target) change(fn func(*settings.Settings)) error {
	return t.Store.Update(func(set *settings.Settings) error {
		fn(set)
		t.Settings = *set
		return nil
	})
}

// switchAccount asks for a token of another account. The refusal has the text
// that people search for.
func switchAccount(ctx context.Context, c *shell.Call, api *client.Client, refresh secret.Value, account string) (client.Token, error) {
	if refresh.IsZero() {
		return client.Token{}, shell.Problemf("Could not set account. Please login again:\nThe session of this login cannot be moved to account %s.", account)
	}
	token, err := api.ByRefreshToken(ctx, refresh, account)
	if err == nil {
		return token, nil
	}
	var refused *client.ServerError
	if !errors.As(err, &refused) {
		return client.Token{}, err
	}
	if !c.Quiet {
		c.Warn("Correlation-ID: %s", api.Correlation())
	}
	return client.Token{}, shell.Problemf("Could not set account. Please login again:\n%v", err)
}

// printTarget shows what commands act on: two empty lines and five rows.
func printTarget(c *shell.Call, set settings.Settings) error {
	claims, err := client.ParseClaims(set.Tokens.Access)
	if err != nil {
		return err
	}
	if c.WantsJSON() {
		return c.JSON(targetJSON(set, claims))
	}
	c.Blank()
	c.Blank()
	group := set.ResourceGroup.Name
	if group == "" {
		group = "No resource group targeted, use 'kagiban target -g RESOURCE_GROUP'"
	}
	c.Pairs([][2]string{
		{"API endpoint:", set.APIEndpoint},
		{"Region:", set.Region},
		{"User:", claims.User()},
		{"Account:", accountText(set.Account)},
		{"Resource group:", group},
	})
	return nil
}

// accountText shows an account; its name is empty where it is not known.
func accountText(a settings.Account) string {
	if a.GUID == "" {
		return "No account targeted, use 'kagiban target -c ACCOUNT_ID'"
	}
	text := a.Name + " (" + a.GUID + ")"
	if a.Classic != "" {
		text += " <-> " + a.Classic
	}
	return text
}

func targetJSON(set settings.Settings, claims client.Claims) any {
	type named struct {
		Name string `json:"name"`
		GUID string `json:"guid,omitempty"`
	}
	type user struct {
		DisplayName string `json:"display_name"`
		Email       string `json:"user_email,omitempty"`
		IAMID       string `json:"iam_id"`
	}
	out := struct {
		APIEndpoint   string `json:"api_endpoint"`
		Region        *named `json:"region,omitempty"`
		User          user   `json:"user"`
		Account       *named `json:"account,omitempty"`
		ResourceGroup *named `json:"resource_group,omitempty"`
	}{APIEndpoint: set.APIEndpoint, User: user{claims.User(), claims.Email, claims.IAMID}}
	if set.Region != "" {
		out.Region = &named{Name: set.Region}
	}
	if set.Account.GUID != "" {
		out.Account = &named{set.Account.Name, set.Account.GUID}
	}
	if set.ResourceGroup.GUID != "" {
		out.ResourceGroup = &named{set.ResourceGroup.Name, set.ResourceGroup.GUID}
	}
	return out
}
