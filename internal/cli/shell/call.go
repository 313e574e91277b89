package shell

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/term"
	"github.com/kagiban/kagiban/internal/client"
)

// Call is one run of a verb.
type Call struct {
	*Shell
	*term.Terminal
	Args  []string
	Flags *pflag.FlagSet
	// Store holds the settings, Settings is what it held when the run began.
	Store    *settings.Store
	Settings settings.Settings
	// Force is the value of -f.
	Force bool

	output      string
	quiet       bool
	trace       bool
	traceTo     io.Writer
	traceFile   *os.File
	correlation string
}

func (c *Call) close() {
	if c.traceFile != nil {
		_ = c.traceFile.Close() // what was written is there
	}
}

// WantsJSON tells whether the user asked for JSON.
func (c *Call) WantsJSON() bool { return c.output != "" }

// Progress announces what is being done, unless the output is JSON.
func (c *Call) Progress(format string, args ...any) {
	if !c.WantsJSON() {
		c.Terminal.Progress(format, args...)
	}
}

// Show prints a result: v as JSON if the user asked for that, otherwise OK and
// whatever text prints.
func (c *Call) Show(v any, text func()) error {
	if c.WantsJSON() {
		return c.JSON(v)
	}
	c.OK()
	text()
	return nil
}

// Done prints OK and, unless -q was given, what happened.
func (c *Call) Done(format string, args ...any) {
	c.OK()
	if !c.Quiet {
		c.Say(format, args...)
	}
}

// NeedAccount fails when no account is targeted.
func (c *Call) NeedAccount() error {
	if c.Settings.Account.GUID == "" {
		return Problem("No account is targeted. Target one with: kagiban target -c ACCOUNT_ID")
	}
	return nil
}

// Given tells whether the user gave the flag.
func (c *Call) Given(flag string) bool { return c.Flags.Changed(flag) }

// Confirm asks unless -f was given. A no ends the verb with an error that has
// been reported already.
func (c *Call) Confirm(format string, args ...any) error {
	if c.Force {
		return nil
	}
	yes, err := c.Ask(format, args...)
	if err != nil {
		return err
	}
	if !yes {
		c.Warn("Cancelled; nothing was changed.")
		return Reported{errors.New("cancelled")}
	}
	return nil
}

// Connect returns a client for the server at base, without a session.
func (c *Call) Connect(base string, skipVerify bool) (*client.Client, error) {
	timeout, err := c.timeout(c.Settings.HTTPTimeout)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Base: base, Timeout: timeout, SkipVerify: skipVerify,
		Trace: c.traceTo, Now: c.Now, NewID: c.NewID,
		Correlation: c.correlation, UserAgent: "kagiban/" + c.Version,
	}), nil
}

// Endpoint returns a client for the server that the settings name.
func (c *Call) Endpoint() (*client.Client, error) {
	if c.Settings.APIEndpoint == "" {
		return nil, ErrNoEndpoint
	}
	return c.Connect(c.Settings.APIEndpoint, c.Settings.SSLDisabled)
}

// ErrNoEndpoint says that no server was ever named.
const ErrNoEndpoint = Problem("No server is chosen. Choose one with: kagiban api URL")

// ErrLoggedOut says that there is no session.
const ErrLoggedOut = Problem("Not logged in. " + loginHint)
