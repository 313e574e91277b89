package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

func logoutCommand(sh *shell.Shell) *cobra.Command {
	return sh.Command(shell.Verb{
		Use:   "logout",
		Short: "Forget the session",
		Long:  "Forget the session. Its tokens are erased here; the server lets them run out.",
		Run: func(_ context.Context, c *shell.Call) error {
			c.Progress("Logging out")
			err := c.Store.Update(func(set *settings.Settings) error {
				set.Logout()
				return nil
			})
			if err == nil {
				c.OK()
			}
			return err
		},
	})
}

func apiCommand(sh *shell.Shell) *cobra.Command {
	var unset, skipVerify bool
	return sh.Command(shell.Verb{
		Use:   "api [URL]",
		Short: "Show or choose the server",
		Long: `Show or choose the server that commands call. Choosing another server ends the
session: tokens of one server are of no use at another, and none of its business.`,
		Args: cobra.MaximumNArgs(1),
		Flags: func(f *pflag.FlagSet) {
			f.BoolVar(&unset, "unset", false, "choose no server")
			f.BoolVar(&skipVerify, "skip-ssl-validation", false, "accept any TLS certificate (not for production)")
		},
		Run: func(_ context.Context, c *shell.Call) error {
			switch {
			case unset && len(c.Args) > 0:
				return shell.Usagef("a URL and --unset cannot be combined")
			case unset:
				return chooseAPI(c, "", false)
			case len(c.Args) == 0 && c.Settings.APIEndpoint == "":
				return shell.ErrNoEndpoint
			case len(c.Args) == 0:
				c.Say("API endpoint: %s", c.Settings.APIEndpoint)
				return nil
			}
			base, err := client.ParseBase(c.Args[0])
			if err != nil {
				return shell.Usagef("%v", err)
			}
			return chooseAPI(c, base, skipVerify)
		},
	})
}

func chooseAPI(c *shell.Call, base string, skipVerify bool) error {
	if base == "" {
		c.Progress("Unsetting API endpoint")
	} else {
		c.Progress("Setting API endpoint to %s", base)
	}
	ended := false
	err := c.Store.Update(func(set *settings.Settings) error {
		if ended = set.LoggedIn() && set.APIEndpoint != base; ended {
			set.Logout()
		}
		set.APIEndpoint, set.SSLDisabled = base, skipVerify
		return nil
	})
	if err != nil {
		return err
	}
	c.OK()
	if ended && !c.Quiet {
		c.Say("The session at the other server has ended. Log in with: kagiban login --apikey KEY|@FILE")
	}
	return nil
}

func configCommand(sh *shell.Shell) *cobra.Command {
	var timeout, trace, color string
	return sh.Command(shell.Verb{
		Use:   "config (--http-timeout SECONDS | --trace true|false|FILE | --color true|false)",
		Short: "Change a preference of this command line",
		Long: `Change a preference of this command line, one at a time. KAGIBAN_HTTP_TIMEOUT,
KAGIBAN_TRACE, KAGIBAN_COLOR and NO_COLOR win over them.`,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&timeout, "http-timeout", "", "how long to wait for the server, in seconds")
			f.StringVar(&trace, "trace", "", "true prints the calls to the server to stderr, a file name appends them to that file")
			f.StringVar(&color, "color", "", "false prints without colours")
		},
		Values: map[string][]string{"color": {"true", "false"}},
		Run: func(_ context.Context, c *shell.Call) error {
			given := 0
			for _, name := range []string{"http-timeout", "trace", "color"} {
				if c.Given(name) {
					given++
				}
			}
			if given != 1 {
				return shell.Usagef("give exactly one of --http-timeout, --trace and --color")
			}
			change, err := preference(c, timeout, trace, color)
			if err != nil {
				return err
			}
			if err := c.Store.Update(change); err != nil {
				return err
			}
			c.OK()
			return nil
		},
	})
}

// preference checks the one value that was given and returns how to store it.
func preference(c *shell.Call, timeout, trace, color string) (func(*settings.Settings) error, error) {
	switch {
	case c.Given("http-timeout"):
		seconds, err := strconv.Atoi(timeout)
		if err != nil || seconds < 1 {
			return nil, shell.Usagef("--http-timeout must be a number of seconds, at least 1, not %q", timeout)
		}
		return func(set *settings.Settings) error { set.HTTPTimeout = seconds; return nil }, nil
	case c.Given("color"):
		color = strings.ToLower(color)
		if color != "true" && color != "false" {
			return nil, shell.Usagef("--color must be true or false, not %q", color)
		}
		return func(set *settings.Settings) error { set.Color = color; return nil }, nil
	}
	switch strings.ToLower(trace) {
	case "":
		return nil, shell.Usagef("--trace must be true, false or the name of a file")
	case "true", "false":
	default: // the file must be the same from every folder
		path, err := filepath.Abs(trace)
		if err != nil {
			return nil, fmt.Errorf("finding the trace file: %w", err)
		}
		trace = path
	}
	return func(set *settings.Settings) error { set.Trace = trace; return nil }, nil
}

func versionCommand(sh *shell.Shell) *cobra.Command {
	return sh.Command(shell.Verb{
		Use:     "version",
		Aliases: []string{"v"},
		Short:   "Print the version",
		Run: func(_ context.Context, c *shell.Call) error {
			c.Say("kagiban version %s (%s %s/%s)", sh.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	})
}
