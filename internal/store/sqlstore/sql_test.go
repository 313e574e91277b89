package sqlstore_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What some engine that speaks PostgreSQL's protocol, or SQLite, lacks or
// makes slow. See the rules in the package comment.
var forbidden = regexp.MustCompile(`(?i)\b(` + strings.Join([]string{
	`for\s+(no\s+key\s+)?update`, `for\s+share`, `skip\s+locked`, `nextval`, `serial`, `bigserial`, `autoincrement`,
	`identity`, `now\s*\(`, `current_timestamp`, `clock_timestamp`, `random\s*\(`, `gen_random_uuid`, `offset`, `trigger`,
	`references`, `foreign\s+key`, `jsonb`, `json_extract`, `json_each`, `deferrable`, `temp`, `temporary`, `rule`,
	`pg_advisory\w*`, `truncate`, `ilike`, `lateral`, `unnest`, `select\s+\*`, `array`, `merge`, `replace`, `listen`, `notify`,
}, "|") + `)|->|::|\$\$`)

var looksLikeSQL = regexp.MustCompile(`(?i)^\s*(select|insert|update|delete|create|with|and|order by|on conflict)\b`)

func TestStatementsKeepToTheSharedSQL(t *testing.T) {
	statements := 0
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil || !looksLikeSQL.MatchString(text) {
				return true
			}
			statements++
			if bad := forbidden.FindString(text); bad != "" {
				t.Errorf("%s: %q in %s", name, bad, text)
			}
			return true
		})
	}
	if statements < 25 {
		t.Errorf("only %d statements were found: does the test still look at them?", statements)
	}
}

func migrations(t *testing.T, dialect string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dialect, "migrations", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(name)] = string(text)
	}
	return out
}

var (
	comments = regexp.MustCompile(`(?m)--.*$`)
	spaces   = regexp.MustCompile(`\s+`)
)

// logical gives the statements of a migration without what the dialects say
// differently.
func logical(text string) []string {
	text = strings.ToLower(comments.ReplaceAllString(text, ""))
	for _, r := range [][2]string{{` collate "c"`, ""}, {"bigint", "integer"}, {") without rowid", ")"}} {
		text = strings.ReplaceAll(text, r[0], r[1])
	}
	var out []string
	for s := range strings.SplitSeq(text, ";") {
		if s = strings.TrimSpace(spaces.ReplaceAllString(s, " ")); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// onlyPostgres are the statements that one store does not need.
var onlyPostgres = map[string]string{
	"create index if not exists heads_by_time on heads (touched_at)": "one process writes a file: nobody polls its heads",
}

func TestBothDialectsHaveOneSchema(t *testing.T) {
	lite, pg := migrations(t, "sqlitestore"), migrations(t, "pgstore")
	if len(lite) == 0 {
		t.Fatal("no migrations")
	}
	for name, text := range pg {
		var want []string
		for _, s := range logical(text) {
			if onlyPostgres[s] == "" {
				want = append(want, s)
			}
		}
		if diff := cmp.Diff(want, logical(lite[name])); diff != "" {
			t.Errorf("%s differs (-postgresql +sqlite):\n%s", name, diff)
		}
		if bad := forbidden.FindString(comments.ReplaceAllString(text, "")); bad != "" {
			t.Errorf("%s: %q", name, bad)
		}
	}
	if len(lite) != len(pg) {
		t.Errorf("%d migrations for SQLite, %d for PostgreSQL", len(lite), len(pg))
	}
}
