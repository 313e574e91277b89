package iam

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// setting is one account setting: its flag, its property and its label.
type setting struct{ flag, property, label, help string }

var accountSettings = []setting{
	{"restrict-create-service-id", "restrict_create_service_id", "Restrict Create Service ID", "RESTRICTED, NOT_RESTRICTED or NOT_SET"},
	{"restrict-create-platform-apikey", "restrict_create_platform_apikey",
		"Restrict Create Platform API Key", "RESTRICTED, NOT_RESTRICTED or NOT_SET"},
	{"restrict-user-list-visibility", "restrict_user_list_visibility", "Restrict User List Visibility", "RESTRICTED or NOT_RESTRICTED"},
	{"allowed-ip-addresses", "allowed_ip_addresses",
		"Allowed IP Addresses", "addresses, ranges and networks that may get tokens, separated by commas"},
	{"mfa", "mfa", "MFA", "NONE, NONE_NO_ROPC, TOTP, TOTP4ALL, LEVEL1, LEVEL2 or LEVEL3"},
	{"session-expiration-in-seconds", "session_expiration_in_seconds", "Session Expiration In Seconds", "900 to 86400, or NOT_SET"},
	{"session-invalidation-in-seconds", "session_invalidation_in_seconds", "Session Invalidation In Seconds", "900 to 7200, or NOT_SET"},
	{"max-sessions-per-identity", "max_sessions_per_identity", "Max Sessions Per Identity", "a number, or NOT_SET"},
	{"access-token-expiration-in-seconds", "system_access_token_expiration_in_seconds",
		"Access Token Expiration In Seconds", "900 to 3600, or NOT_SET"},
	{"refresh-token-expiration-in-seconds", "system_refresh_token_expiration_in_seconds",
		"Refresh Token Expiration In Seconds", "900 to 259200, or NOT_SET"},
}

func settingsRows(s client.AccountSettings) [][2]string {
	rows := [][2]string{{"Account ID", s.Text("account_id")}}
	for _, one := range accountSettings {
		rows = append(rows, [2]string{one.label, s.Text(one.property)})
	}
	return append(rows, [2]string{"Version", s.Text("entity_tag")})
}

func settingsPath(account string) string {
	return "/v1" + client.Path("accounts", account, "settings", "identity")
}

func settingsVerbs() []shell.Verb {
	return []shell.Verb{
		{
			Use:    "account-settings",
			Short:  "Show the account's rules for its identities",
			Output: true,
			Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
				c.Progress("Getting account settings of %s as %s", session.Account(), session.User())
				found, err := client.Get[client.AccountSettings](ctx, session.API, settingsPath(session.Account()))
				if err != nil {
					return err
				}
				// An object and not an array: an account has one.
				return c.Show(found, func() { c.Details(settingsRows(found.Value)) })
			},
		},
		settingsUpdateVerb(),
	}
}

func settingsUpdateVerb() shell.Verb {
	var unset bool
	return shell.Verb{
		Use:    "account-settings-update",
		Short:  "Change the account's rules for its identities",
		Output: true,
		Force:  true,
		Flags: func(f *pflag.FlagSet) {
			for _, s := range accountSettings {
				f.String(s.flag, "", s.help)
			}
			f.BoolVar(&unset, "unset-allowed-ip-addresses", false, "allow every address")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			body, err := settingsBody(c, unset)
			if err != nil {
				return err
			}
			c.Progress("Updating account settings of %s as %s", session.Account(), session.User())
			old, err := client.Get[client.AccountSettings](ctx, session.API, settingsPath(session.Account()))
			if err != nil {
				return err
			}
			changed, err := client.Put[client.AccountSettings](ctx, session.API, settingsPath(session.Account()), old.Value.Text("entity_tag"), body)
			if err != nil {
				return err
			}
			return object.Created(c, changed, "Account settings are updated successfully", settingsRows)
		},
	}
}

func settingsBody(c *shell.Call, unset bool) (map[string]any, error) {
	body := map[string]any{}
	for _, s := range accountSettings {
		if !c.Given(s.flag) {
			continue
		}
		value, err := c.Flags.GetString(s.flag)
		if err != nil {
			return nil, err
		}
		body[s.property] = value
	}
	if unset {
		if c.Given("allowed-ip-addresses") {
			return nil, shell.Usagef("--allowed-ip-addresses and --unset-allowed-ip-addresses cannot be combined")
		}
		body["allowed_ip_addresses"] = ""
	}
	if len(body) == 0 {
		return nil, shell.Usagef("nothing to change: give the setting that shall change; see --help")
	}
	return body, nil
}
