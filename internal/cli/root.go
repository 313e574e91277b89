// Package cli is the command line: it reads arguments, calls the server
// (commands of the client) or starts it (dev, serve and their relatives), and
// prints. It holds no rule of IAM and no state between two calls of Main.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	_ "github.com/kagiban/kagiban/internal/cli/hush" // before anything that prints while it is initialised
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/cli/term"
	"github.com/kagiban/kagiban/internal/config"
)

// The exit codes of every command.
const (
	exitOK      = 0
	exitFailure = 1 // the command was understood and failed
	exitUsage   = 2 // wrong arguments, flags or settings: nothing was done
)

// streams are the process as a command sees it: a test passes its own.
type streams struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
}

// usageError marks an error of the caller's making, which ends in exitUsage.
type usageError struct{ error }

// Unwrap gives the error as it was before it was marked.
func (u usageError) Unwrap() error { return u.error }

// usagef makes a usageError.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// silentError ends a command with exitFailure without a further line: the
// command has said everything.
type silentError struct{ error }

// Main runs one command line, without the program's name, and gives the exit
// code. SIGINT and SIGTERM cancel the command; a second one ends the process.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	log.SetOutput(stderr)
	root := newRoot(&streams{in: stdin, out: stdout, err: stderr, getenv: getenv}, args...)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	return report(stderr, err)
}

// report prints what a command failed of and gives the exit code.
func report(stderr io.Writer, err error) int {
	var silent silentError
	var usage usageError
	var faults config.Faults
	var reported shell.Reported
	var clientUsage shell.Usage
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &faults):
		for _, line := range faults {
			fmt.Fprintf(stderr, "kagiban: %s\n", line)
		}
		return exitUsage
	case errors.As(err, &silent), errors.As(err, &reported):
		return exitFailure
	case errors.As(err, &usage), errors.As(err, &clientUsage):
		fmt.Fprintf(stderr, "kagiban: %s\n", oneLine(err))
		return exitUsage
	}
	fmt.Fprintf(stderr, "kagiban: %s\n", term.Escape(oneLine(err)))
	return exitFailure
}

// oneLine gives an error's text without line breaks: drivers and joined errors
// have several lines.
func oneLine(err error) string {
	var lines []string
	for line := range strings.Lines(err.Error()) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}

// newRoot builds the tree of commands anew for each call: there are no global
// commands and no flags that outlive a run. For a server it leaves out the
// client's, which would be a third of what the server keeps in memory.
func newRoot(s *streams, args ...string) *cobra.Command {
	root := &cobra.Command{
		Use:           "kagiban",
		Short:         "Identity and access management, compatible with IBM Cloud IAM",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q; see kagiban --help", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	servers := serverCommands(s)
	root.AddCommand(servers...)
	if len(args) == 0 || !slices.ContainsFunc(servers, func(c *cobra.Command) bool { return c.Name() == args[0] }) {
		root.AddCommand(clientCommands(s)...)
	}
	return root
}

// serverCommands start and administer a server.
func serverCommands(s *streams) []*cobra.Command {
	return []*cobra.Command{newDev(s), newServe(s), newInit(s), newMigrate(s), newKeys(s), newAccounts(s), newBackup(s),
		newOperations(s), newDemo(s)}
}
