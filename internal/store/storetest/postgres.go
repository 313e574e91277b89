package storetest

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres gives the DSN of an empty schema in the database that the
// environment variable KAGIBAN_TEST_PG names, and drops it when the test ends.
// Without the variable the test is skipped, on CI it fails.
func Postgres(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("KAGIBAN_TEST_PG")
	if dsn == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("KAGIBAN_TEST_PG is not set: PostgreSQL must be tested on CI")
		}
		t.Skip("KAGIBAN_TEST_PG is not set")
	}
	schema := "test_" + strings.ToLower(rand.Text())
	admin(t, dsn, "CREATE SCHEMA "+schema)
	t.Cleanup(func() { admin(t, dsn, "DROP SCHEMA "+schema+" CASCADE") })
	switch {
	case !strings.Contains(dsn, "://"):
		return dsn + " search_path=" + schema
	case strings.Contains(dsn, "?"):
		return dsn + "&search_path=" + schema
	}
	return dsn + "?search_path=" + schema
}

func admin(t testing.TB, dsn, statement string) {
	t.Helper()
	ctx := context.Background() // the test's own has ended when it cleans up
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatalf("connecting to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("preparing PostgreSQL: %v", err)
	}
}
