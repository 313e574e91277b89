// Command pgdev is `kagiban dev` on PostgreSQL, for the official suites:
//
//	DEV_DATABASE=postgres://… pgdev dev --listen ADDRESS --env-file FILE
//
// Each run has an empty schema of its own in that database, which goes with the
// database. The product has no such command: a development server on a
// database that is made to last invites accidents.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/config"
	"github.com/kagiban/kagiban/internal/dev/demo"
	"github.com/kagiban/kagiban/internal/secret"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pgdev:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "dev" {
		return errors.New("the only command is dev")
	}
	flags := flag.NewFlagSet("dev", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:0", "address to listen on")
	envFile := flags.String("env-file", "", "file for the demo's environment")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	database, err := newSchema(ctx, os.Getenv("DEV_DATABASE"))
	if err != nil {
		return err
	}
	set, err := config.Load(config.Sources{})
	if err != nil {
		return err
	}
	key, err := secret.GenerateMasterKey(rand.Reader)
	if err != nil {
		return err
	}
	set.Listen, set.Database, set.AutoMigrate = *listen, database, true
	set.MasterKeys, set.ShutdownTimeout = []secret.MasterKey{key}, 5*time.Second
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.New(ctx, app.Config{Settings: *set, Version: "pgdev", Dev: &app.Dev{}, Log: log})
	if err != nil {
		return err
	}
	if err = demo.WriteEnv(*envFile, a.Demo().Env(a.URL())); err == nil {
		err = a.Run(ctx)
	}
	return errors.Join(err, a.Close())
}

// newSchema makes an empty schema and gives the DSN that leads to it.
func newSchema(ctx context.Context, dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return "", errors.New("DEV_DATABASE must be a postgres:// URL")
	}
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	schema := "dev_" + strings.ToLower(rand.Text())
	if _, err := conn.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
		return "", fmt.Errorf("making a schema: %w", err)
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
