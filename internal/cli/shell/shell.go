// Package shell is what the client verbs of the command line stand on: the
// shape of a verb, its flags and output, the settings, and a session that
// renews its token. A group of verbs is a list of Verb values; what they do
// lies with them.
package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/term"
	"github.com/kagiban/kagiban/internal/client"
)

// defaultTimeout bounds one call; it is the official command line's.
const defaultTimeout = 60 * time.Second

// Shell is the process as verbs see it.
type Shell struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// Version is shown to servers in User-Agent.
	Version string
	// Now and NewID are time.Now and random UUIDs outside tests.
	Now   func() time.Time
	NewID func() string
}

// Verb is one command.
type Verb struct {
	// Use is the command's name and its arguments: "service-id NAME|ID".
	Use     string
	Aliases []string
	Short   string
	Long    string
	Example string
	// Args checks the number of arguments; nil means none.
	Args cobra.PositionalArgs
	// Output gives the verb --output, Force -f.
	Output, Force bool
	// Flags defines further flags.
	Flags func(*pflag.FlagSet)
	// Values completes flags that take one of a few values.
	Values map[string][]string
	// Offers completes flags that take what the server has, one or several with
	// commas between them.
	Offers map[string]Offer
	// Hidden keeps the verb out of the list of commands.
	Hidden bool
	// Run does the work. Do does it in a living session; a verb has one of both.
	Run func(context.Context, *Call) error
	Do  func(context.Context, *Call, *Session) error
	// Anywhere lets Do run without a targeted account.
	Anywhere bool
}

// Offer gives what a flag may be, after the other flags of the call.
type Offer func(context.Context, *Call, *Session) ([]string, error)

// Reported is an error whose text the user has seen already.
type Reported struct{ Cause error }

// Error is the cause's text.
func (r Reported) Error() string { return r.Cause.Error() }

// Unwrap gives the cause.
func (r Reported) Unwrap() error { return r.Cause }

// Problem is a failure told in a whole sentence, or several.
type Problem string

// Error is the text.
func (p Problem) Error() string { return string(p) }

// Problemf makes a Problem.
func Problemf(format string, args ...any) error { return Problem(fmt.Sprintf(format, args...)) }

// Usage is an error of the caller's making: nothing was done.
type Usage struct{ Message string }

// Error is the message.
func (u Usage) Error() string { return u.Message }

// Usagef makes a Usage error.
func Usagef(format string, args ...any) error { return Usage{fmt.Sprintf(format, args...)} }

// Group makes a command that only holds others.
func Group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return Usagef("unknown command %q; see %s --help", args[0], cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(verbs...)
	return cmd
}

// Command makes a verb's command.
func (s *Shell) Command(v Verb) *cobra.Command {
	c := &Call{Shell: s}
	cmd := &cobra.Command{
		Use: v.Use, Aliases: v.Aliases, Short: v.Short, Long: v.Long, Example: v.Example, Hidden: v.Hidden,
		Args: checkedArgs(v.Args),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Args, c.Flags = args, cmd.Flags()
			return s.run(cmd.Context(), c, v.work)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	if v.Flags != nil {
		v.Flags(flags)
	}
	if v.Output {
		flags.StringVarP(&c.output, "output", "o", "", "print the result in this `FORMAT`: JSON")
	}
	if v.Force {
		flags.BoolVarP(&c.Force, "force", "f", false, "do not ask")
	}
	flags.BoolVarP(&c.quiet, "quiet", "q", false, "print the result only")
	if flags.Lookup("trace") == nil {
		flags.BoolVar(&c.trace, "trace", false, "print the calls to the server, without their secrets, to stderr")
	}
	for name, values := range v.Values {
		// Fails only for a flag that does not exist, which a test would show.
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	for name, offer := range v.Offers {
		_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			c.Args, c.Flags = args, cmd.Flags()
			return s.complete(cmd.Context(), c, offer, typed), cobra.ShellCompDirectiveNoFileComp
		})
	}
	if v.Output {
		_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

func (v *Verb) work(ctx context.Context, c *Call) error {
	if v.Do == nil {
		return v.Run(ctx, c)
	}
	session, err := c.Session(ctx)
	if err == nil && !v.Anywhere {
		err = c.NeedAccount()
	}
	if err != nil {
		return err
	}
	return v.Do(ctx, c, session)
}

// checkedArgs marks wrong arguments as an error of usage.
func checkedArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	if check == nil {
		check = cobra.NoArgs
	}
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return Usagef("%v\nUsage: %s", err, cmd.UseLine())
		}
		for _, arg := range args {
			if strings.TrimSpace(arg) == "" {
				return Usagef("an argument is empty\nUsage: %s", cmd.UseLine())
			}
		}
		return nil
	}
}

// run prepares the call, runs the verb, and says what went wrong.
func (s *Shell) run(ctx context.Context, c *Call, verb func(context.Context, *Call) error) error {
	if c.output != "" && !strings.EqualFold(c.output, "json") {
		return Usagef("--output must be JSON, not %q", c.output)
	}
	c.Terminal = &term.Terminal{In: s.In, Out: s.Out, Err: s.Err, Quiet: c.quiet, Done: ctx.Done()}
	err := s.prepare(c)
	if err == nil {
		defer c.close()
		err = verb(ctx, c)
	}
	var reported Reported
	var usage Usage
	if err == nil || errors.As(err, &reported) || errors.As(err, &usage) {
		return err
	}
	c.Fail(message(err))
	return Reported{err}
}

// complete gives what may be typed for a flag, the last of several values being
// the one that is typed. Whoever is not logged in, or asks in vain, is offered
// nothing: there is no place for words.
func (s *Shell) complete(ctx context.Context, c *Call, offer Offer, typed string) []string {
	c.Terminal = &term.Terminal{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard, Quiet: true}
	if s.prepare(c) != nil {
		return nil
	}
	defer c.close()
	session, err := c.Session(ctx)
	if err != nil || c.NeedAccount() != nil {
		return nil
	}
	values, err := offer(ctx, c, session)
	if err != nil {
		return nil
	}
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = before + v
	}
	return out
}

// prepare opens the settings and what depends on them.
func (s *Shell) prepare(c *Call) error {
	var err error
	if c.Store, err = settings.NewStore(s.Getenv); err != nil {
		return err
	}
	if c.Settings, err = c.Store.Load(); err != nil {
		return err
	}
	c.Color = s.color(c.Settings.Color) && term.IsTerminal(s.Out)
	c.correlation = s.NewID()
	return s.openTrace(c)
}

// color obeys, in this order, NO_COLOR (any value), KAGIBAN_COLOR, and the
// setting; without any of them colours are on.
func (s *Shell) color(setting string) bool {
	if s.Getenv("NO_COLOR") != "" {
		return false
	}
	if v := s.Getenv("KAGIBAN_COLOR"); v != "" {
		setting = v
	}
	return !strings.EqualFold(setting, "false")
}

// openTrace decides where calls are traced to: KAGIBAN_TRACE wins over the
// setting; "true" means stderr, any other text but "false" a file.
func (s *Shell) openTrace(c *Call) error {
	to := c.Settings.Trace
	if v := s.Getenv("KAGIBAN_TRACE"); v != "" {
		to = v
	}
	if c.trace {
		to = "true"
	}
	switch strings.ToLower(to) {
	case "", "false":
		return nil
	case "true":
		c.traceTo = term.Escaping(s.Err)
		return nil
	}
	f, err := os.OpenFile(to, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the trace file: %w", err)
	}
	c.traceTo, c.traceFile = f, f
	return nil
}

// timeout obeys KAGIBAN_HTTP_TIMEOUT over the setting over the default.
func (s *Shell) timeout(setting int) (time.Duration, error) {
	if v := s.Getenv("KAGIBAN_HTTP_TIMEOUT"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			return 0, Usagef("KAGIBAN_HTTP_TIMEOUT must be a number of seconds, not %q", v)
		}
		setting = n
	}
	if setting < 1 {
		return defaultTimeout, nil
	}
	return time.Duration(setting) * time.Second, nil
}

// message is the text of a failure and what to do next about it.
func message(err error) string {
	var refused *client.ServerError
	var lost *client.UnreachableError
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, term.ErrInterrupted):
		return "Interrupted."
	case errors.As(err, &refused) && refused.NeedsLogin():
		return err.Error() + "\nYour session is over. " + loginHint
	case errors.As(err, &lost):
		return err.Error() + "\n" + reachHint(lost)
	}
	return err.Error()
}

const loginHint = "Log in with: kagiban login --apikey KEY|@FILE"

func reachHint(e *client.UnreachableError) string {
	switch {
	case e.PlainHTTP:
		return "That server speaks plain HTTP; name it with: kagiban api " + strings.Replace(e.URL, "https://", "http://", 1)
	case e.Certificate:
		return "Let your system trust the certificate (or SSL_CERT_FILE name it), or give --skip-ssl-validation to kagiban login."
	}
	return "Is the server running there? Another one is chosen with: kagiban api URL"
}

// RandomID makes a random UUID.
func RandomID() string { return uuid.NewString() }
