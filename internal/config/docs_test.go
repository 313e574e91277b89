package config_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/config"
)

const docsPath = "../../docs/configuration.md"

// docs renders docs/configuration.md from the table.
func docs() string {
	var b strings.Builder
	b.WriteString(`# Configuration

` + "`kagiban serve`" + ` reads its settings from a YAML file (` + "`--config FILE`" + `), from environment variables and from flags; a later one of these wins. A dot in a setting's name stands for a level of the file. A wrong or unknown setting is an error that names it, and nothing starts.

This page is generated from the table of settings: run ` + "`UPDATE_DOCS=1 go test ./internal/config`" + ` after changing it.

`)
	for _, s := range config.Table() {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n- Form: %s", s.Key, s.Help, s.Form)
		if s.List {
			b.WriteString("; a list in the file, separated by commas elsewhere")
		}
		b.WriteString("\n")
		if s.Default != "" {
			fmt.Fprintf(&b, "- Default: `%s`\n", s.Default)
		}
		fmt.Fprintf(&b, "- Environment: `%s`\n", s.Env())
		if s.NoFlag {
			b.WriteString("- No flag: other users of the machine can read the command line\n")
		} else {
			fmt.Fprintf(&b, "- Flag: `--%s`\n", s.Flag())
		}
		b.WriteString("\n")
	}
	b.WriteString(example)
	return b.String()
}

// example is a file that the test below loads.
const example = "## An example\n\n```yaml\n" + exampleFile + "```\n"

const exampleFile = `listen: 127.0.0.1:4280
issuer: https://iam.example.com
trusted_proxies: [127.0.0.1/32]
database: /var/lib/kagiban/kagiban.db
log:
  level: info
  format: json
token:
  algorithm: RS256
  key_age: 720h
`

func TestTheDocumentedSettingsAreTheRealOnes(t *testing.T) {
	want := docs()
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(docsPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/configuration.md is not what the table says; run UPDATE_DOCS=1 go test ./internal/config")
	}
}

func TestTheDocumentedExampleLoads(t *testing.T) {
	if _, err := config.Load(config.Sources{File: write(t, "c.yaml", exampleFile), Required: []string{"database", "issuer"}}); err != nil {
		t.Error(err)
	}
}

func TestNoTwoSettingsShareAName(t *testing.T) {
	seen := map[string]string{}
	for _, s := range config.Table() {
		for _, name := range []string{s.Env(), "--" + s.Flag()} {
			if other := seen[name]; other != "" {
				t.Errorf("%s and %s are both %s", other, s.Key, name)
			}
			seen[name] = s.Key
		}
		if !strings.HasSuffix(s.Help, ".") || s.Form == "" {
			t.Errorf("%s is not described", s.Key)
		}
	}
}
