package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/cli/term"
	"github.com/kagiban/kagiban/internal/client"
	"github.com/kagiban/kagiban/internal/dev/tutorial"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
)

// tutorialFlags are the flags of `kagiban demo tutorial`.
type tutorialFlags struct {
	url, key, group        string
	start, clean, insecure bool
}

// newDemo is the group of commands that show what a server does.
func newDemo(s *streams) *cobra.Command {
	return shell.Group("demo", "Watch what a server does, request by request", newTutorial(s))
}

func newTutorial(s *streams) *cobra.Command {
	f := &tutorialFlags{}
	cmd := &cobra.Command{
		Use:   "tutorial",
		Short: "Play the tutorial on managing all accounts of an enterprise with one service ID",
		Long: `Send the requests of the tutorial "Centrally managing resources in an enterprise
account by using APIs" to a server, steps 1 to 8, and show each with its answer:
a service ID, two policy templates, a trusted profile template, its assignment
to an account group, and tokens for the profiles that it made in the accounts.

The server and the key of an identity of the enterprise account come from --url
and --apikey, or from KAGIBAN_URL and KAGIBAN_APIKEY. What the steps make stays
there unless --clean-up is given; playing them a second time then needs it.`,
		Example: "  kagiban demo tutorial --start\n  kagiban demo tutorial --url http://127.0.0.1:4280 --apikey @key.json --clean-up",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.url, "url", "", "URL of the server (default: KAGIBAN_URL)")
	flags.StringVar(&f.key, "apikey", "", "`KEY` or @FILE (default: KAGIBAN_APIKEY)")
	flags.StringVar(&f.group, "account-group", "", "id of the account group to assign to (default: the first one)")
	flags.BoolVar(&f.start, "start", false, "start a development server for it, in memory")
	flags.BoolVar(&f.clean, "clean-up", false, "take everything away again at the end")
	flags.BoolVar(&f.insecure, "skip-ssl-validation", false, "take the server's certificate on trust")
	return cmd
}

func (f *tutorialFlags) run(ctx context.Context, s *streams) error {
	if f.start {
		if f.url != "" || f.key != "" {
			return usagef("--start brings its own server and key: leave --url and --apikey out")
		}
		return f.withServer(ctx, s)
	}
	base, key := f.url, f.key
	if base == "" {
		base = s.getenv("KAGIBAN_URL")
	}
	if key == "" {
		key = s.getenv("KAGIBAN_APIKEY")
	}
	if base == "" || key == "" {
		return usagef("give --url and --apikey, or set KAGIBAN_URL and KAGIBAN_APIKEY, or let --start start a server")
	}
	base, err := client.ParseBase(base)
	if err != nil {
		return usagef("--url: %v", err)
	}
	value, err := readKey(key)
	if err != nil {
		return err
	}
	return f.play(ctx, s, base, value)
}

// withServer plays against a development server of its own.
func (f *tutorialFlags) withServer(ctx context.Context, s *streams) error {
	dev := &devFlags{listen: "127.0.0.1:0", quiet: true, algorithm: string(signing.ES256)}
	cfg, err := dev.config(s)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, cfg)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(serving) }()
	err = f.play(ctx, s, a.URL(), a.Demo().OwnerKey.Value)
	stop()
	return errors.Join(err, <-ended, a.Close())
}

func (f *tutorialFlags) play(ctx context.Context, s *streams, base string, key secret.Value) error {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: f.insecure}} //nolint:gosec // the user's choice
	defer transport.CloseIdleConnections()
	cfg := tutorial.Config{Base: base, Key: key, Group: f.group, Out: term.Escaping(s.out),
		HTTP: &http.Client{Transport: transport, Timeout: time.Minute}}
	made, err := tutorial.Play(ctx, cfg)
	if f.clean {
		err = errors.Join(err, made.CleanUp(ctx, cfg))
	}
	return err
}
