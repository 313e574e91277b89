package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/dev/demo"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
)

// devFlags are the flags of `kagiban dev`.
type devFlags struct {
	listen, data, envFile, issuer string
	algorithm, catalog            string
	quiet, random, printEnv       bool
	insecureListen                bool
}

func newDev(s *streams) *cobra.Command {
	f := &devFlags{}
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Start a development server with demo data",
		Long: `Start a server for development and tests on this machine: demo accounts, users
and keys, a clock that can be moved and faults on demand. Everything is in
memory unless --data names a folder. Ids and keys are the same at every fresh
start, so they are no secrets: never let anything real depend on this server.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDev(cmd.Context(), s, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:4280", "address to listen on")
	flags.BoolVar(&f.insecureListen, "insecure-listen", false, "let --listen name an address that other machines reach")
	flags.StringVar(&f.data, "data", "", "folder to keep the data in (default: memory)")
	flags.StringVar(&f.envFile, "env-file", "", "write KEY=VALUE lines to this file when the server is ready")
	flags.StringVar(&f.issuer, "issuer", "", "URL that tokens name as their issuer (default: the server's own)")
	flags.StringVar(&f.algorithm, "token-algorithm", string(signing.RS256), "algorithm of the signing keys, RS256 or ES256")
	flags.StringVar(&f.catalog, "catalog-dir", "", "folder of catalogue files (*.yaml) with services of your own")
	flags.BoolVar(&f.quiet, "quiet", false, "print nothing but warnings")
	flags.BoolVar(&f.random, "random", false, "make other ids and keys at each fresh start")
	flags.BoolVar(&f.printEnv, "print-env", false, "print the environment file's lines with export, start nothing")
	return cmd
}

// noArgs refuses positional arguments as a usage error.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument %q", cmd.CommandPath(), args[0])
	}
	return nil
}

func runDev(ctx context.Context, s *streams, f *devFlags) error {
	cfg, err := f.config(s)
	if err != nil {
		return err
	}
	if f.printEnv {
		return f.print(ctx, s, cfg)
	}
	a, err := app.New(ctx, cfg)
	if err != nil {
		return err
	}
	if f.envFile != "" {
		err = demo.WriteEnv(f.envFile, a.Demo().Env(a.URL()))
	}
	if err == nil {
		if !f.quiet {
			printCard(s.out, a, f)
		}
		err = a.Run(ctx)
	}
	return errors.Join(err, a.Close())
}

// config turns the flags into a server's configuration.
func (f *devFlags) config(s *streams) (app.Config, error) {
	if err := config.CheckAddress(f.listen); err != nil {
		return app.Config{}, usagef("--listen %v", err)
	}
	if !config.OnLoopback(f.listen) && !f.insecureListen {
		return app.Config{}, usagef("--listen %s is reached by other machines, and the demo keys are public: whoever reaches it owns it; "+
			"take a loopback address such as 127.0.0.1:4280, or add --insecure-listen", f.listen)
	}
	algorithm, err := signing.ParseAlgorithm(f.algorithm)
	if err != nil {
		return app.Config{}, usagef("--token-algorithm: %v", err)
	}
	level := slog.LevelInfo
	if f.quiet {
		level = slog.LevelWarn
	}
	set, err := config.Load(config.Sources{}) // the defaults
	if err != nil {
		return app.Config{}, err
	}
	set.Listen, set.ShutdownTimeout, set.LogLevel, set.Algorithm = f.listen, 5*time.Second, level, algorithm
	cfg := app.Config{
		Settings: *set, Version: version(), Dev: &app.Dev{Random: f.random},
		Log: slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level})),
	}
	if f.catalog != "" {
		if info, err := os.Stat(f.catalog); err != nil || !info.IsDir() {
			return app.Config{}, usagef("--catalog-dir: %s is no folder", f.catalog)
		}
		cfg.CatalogDir = f.catalog
	}
	if f.issuer != "" {
		issuer, err := config.ParseIssuer(f.issuer)
		if err != nil {
			return app.Config{}, usagef("--issuer %v", err)
		}
		cfg.Issuer = issuer
	}
	key, err := f.masterKey()
	if err != nil {
		return app.Config{}, err
	}
	cfg.MasterKeys = []secret.MasterKey{key}
	if f.data != "" {
		cfg.Database, cfg.AutoMigrate = filepath.Join(f.data, "kagiban.db"), true
	}
	return cfg, nil
}

// masterKey makes a key for memory, or keeps one beside the data: on a
// developer's machine the convenience of a folder that can be moved is worth
// more than a key in another place.
func (f *devFlags) masterKey() (secret.MasterKey, error) {
	if f.data == "" {
		return secret.GenerateMasterKey(rand.Reader)
	}
	if err := os.MkdirAll(f.data, 0o700); err != nil {
		return secret.MasterKey{}, fmt.Errorf("making the data folder: %w", err)
	}
	path := filepath.Join(f.data, "master.key")
	key, err := config.ReadMasterKey(path)
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	return writeMasterKey(path)
}

// writeMasterKey makes a new master key in a new file that only its owner can read.
func writeMasterKey(path string) (secret.MasterKey, error) {
	key, err := secret.GenerateMasterKey(rand.Reader)
	if err != nil {
		return key, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return key, fmt.Errorf("writing the master key: %w", err)
	}
	_, err = f.WriteString(key.Reveal() + "\n")
	if err = errors.Join(err, f.Close()); err != nil {
		return key, fmt.Errorf("writing the master key: %w", err)
	}
	return key, nil
}

// print shows the lines for a shell: those of the database under --data, or
// those that every fresh start has.
func (f *devFlags) print(ctx context.Context, s *streams, cfg app.Config) error {
	if f.random && f.data == "" {
		return usagef("--print-env cannot know what --random will draw")
	}
	cfg.Listen = "127.0.0.1:0"
	a, err := app.New(ctx, cfg)
	if err != nil {
		return err
	}
	vars := a.Demo().Env("http://" + f.listen)
	if err := a.Close(); err != nil {
		return err
	}
	_, err = io.WriteString(s.out, demo.Lines(vars, "export "))
	return err
}

// warning says on the card what an address that others reach means, "" for none.
func (f *devFlags) warning() string {
	if config.OnLoopback(f.listen) {
		return ""
	}
	return fmt.Sprintf("WARNING: %s is reached by other machines. The keys below are public: whoever reaches this server owns it.\n"+
		"The development aids (/dev/v1/…) answer only to clients on this machine.\n\n", f.listen)
}

// printCard tells what somebody who has just started the server needs next.
func printCard(out io.Writer, a *app.App, f *devFlags) {
	d, url := a.Demo(), a.URL()
	where := "in memory, gone when it stops"
	if f.data != "" {
		where = "kept in " + f.data
	}
	fmt.Fprintf(out, `%sKagiban development server: demo data and public keys, for development only.

  URL       %s
  API key   %s
  Account   %s (Demo Enterprise)
  Data      %s

Get a token:
  curl -s %s/identity/token -d grant_type=urn:ibm:params:oauth:grant-type:apikey -d apikey=%s

`, f.warning(), url, d.OwnerKey.Value.Reveal(), d.Root, where, url, d.OwnerKey.Value.Reveal())
}
