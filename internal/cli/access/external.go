package access

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// external says what identities of other accounts may do with the policies that
// they hold in this one.
type external struct {
	Interaction struct {
		Types map[string]externalState `json:"identity_types"`
	} `json:"external_account_identity_interaction"`
}

type externalState struct {
	State   string   `json:"state"`
	Allowed []string `json:"external_allowed_accounts"`
}

var (
	externalTypes  = []string{"user", "service_id", "service"}
	externalStates = []string{"enabled", "limited", "monitor"}
)

func externalRows(e external) [][2]string {
	rows := [][2]string{}
	for _, kind := range externalTypes {
		x := e.Interaction.Types[kind]
		rows = append(rows, [2]string{kind, strings.Join(append([]string{x.State}, x.Allowed...), "\n")})
	}
	return rows
}

func settingsVerbs() []shell.Verb {
	var state string
	var allowed []string
	return []shell.Verb{{
		Use:   "account-settings-external-interaction-update user|service_id|service",
		Short: "Let identities of other accounts use their policies, or not",
		Args:  cobra.ExactArgs(1), Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&state, "state", "", "enabled, limited to the allowed accounts, or monitor: "+strings.Join(externalStates, ", "))
			f.StringSliceVar(&allowed, "allowed-accounts", nil, "`IDS` of the accounts that limited lets in, separated by commas")
		},
		Values: map[string][]string{"state": externalStates},
		Do: func(ctx context.Context, c *shell.Call, s *shell.Session) error {
			kind := c.Args[0]
			switch {
			case !slices.Contains(externalTypes, kind):
				return shell.Usagef("give one of %s, not %q", strings.Join(externalTypes, ", "), kind)
			case !c.Given("state") && !c.Given("allowed-accounts"):
				return shell.Usagef("nothing to change: give --state or --allowed-accounts")
			}
			c.Progress("Updating external interaction settings of account %s as %s", s.Account(), s.User())
			path := "/v1" + client.Path("accounts", s.Account(), "settings", "access_management")
			old, err := client.Get[external](ctx, s.API, path)
			if err != nil {
				return err
			}
			x := old.Value.Interaction.Types[kind]
			if c.Given("state") {
				x.State = state
			}
			if c.Given("allowed-accounts") || x.Allowed == nil {
				x.Allowed = append([]string{}, allowed...)
			}
			var change external
			change.Interaction.Types = map[string]externalState{kind: x}
			changed, err := client.Send[external](ctx, s.API, client.Request{Method: http.MethodPatch, Path: path, Header: client.IfMatch(old.Tag),
				Body: change})
			if err != nil {
				return err
			}
			return object.Created(c, changed, "External interaction settings are updated successfully", externalRows)
		},
	}}
}
