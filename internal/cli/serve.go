package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
)

func newServe(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start the server",
		Long: `Start the server. Settings come from the file of --config, from environment
variables (KAGIBAN_ and the setting's name in capitals) and from flags; a later
one wins. docs/configuration.md lists them.`,
		Args: noArgs,
	}
	settings := settingsFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		set, err := settings(s, "database", "issuer", "master_key_file")
		if err != nil {
			return err
		}
		return runServe(cmd.Context(), s, set)
	}
	return cmd
}

func runServe(ctx context.Context, s *streams, set *config.Settings) error {
	log := newLogger(s.err, set)
	a, err := app.New(ctx, app.Config{Settings: *set, Version: version(), Log: log})
	if err != nil {
		return err
	}
	endReloads := reloadOnHangup(a)
	log.Info("ready", "url", a.URL(), "issuer", a.Issuer(), "version", version(), "pid", os.Getpid())
	err = a.Run(ctx)
	endReloads()
	err = errors.Join(err, a.Close())
	log.Info("stopped")
	return err
}

// reloadOnHangup reads the certificate again when SIGHUP comes, which would end
// the process otherwise. The function that it gives ends that.
func reloadOnHangup(a *app.App) (end func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			a.Reload()
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

func newLogger(w io.Writer, set *config.Settings) *slog.Logger {
	opts := &slog.HandlerOptions{Level: set.LogLevel}
	if set.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, opts))
	}
	return slog.New(slog.NewJSONHandler(w, opts))
}

// settingsFlags adds --config and a flag for each setting to a command, and
// gives the function that reads them; required are settings that the command
// cannot do without.
func settingsFlags(cmd *cobra.Command) func(s *streams, required ...string) (*config.Settings, error) {
	var file string
	cmd.Flags().StringVar(&file, "config", "", "configuration file (YAML)")
	config.AddFlags(cmd.Flags())
	return func(s *streams, required ...string) (*config.Settings, error) {
		set, err := config.Load(config.Sources{File: file, Environ: environ(s), Flags: cmd.Flags(), Required: required})
		if err != nil {
			return nil, usageError{err}
		}
		return set, nil
	}
}

// environ gives the variables with our prefix: the values that the command
// sees, and the names of the process, among which misspelt ones are found.
func environ(s *streams) []string {
	seen := map[string]bool{}
	var out []string
	for _, setting := range config.Table() {
		name := setting.Env()
		seen[name] = true
		if v := s.getenv(name); v != "" {
			out = append(out, name+"="+v)
		}
	}
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, config.EnvPrefix) && !seen[name] {
			out = append(out, name+"=")
		}
	}
	return out
}
