package archtest_test

import (
	"go/ast"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// Groups of packages, below internal/. A name matches itself and what is
// beneath it; "*" matches everything.
var (
	leaves = []string{"fault", "id", "crn", "secret", "lists", "valid", "limit"}
	domain = []string{"account", "identity", "access", "authority", "throttle", "oauth", "session", "token", "enterprise", "template",
		"catalog", "audit", "activity", "report", "idp"}
	// testOnly packages serve tests; only tests and one another import them.
	testOnly = []string{"archtest", "store/storetest", "api/apitest", "httpapi/openapitest", "policy/policytest"}
	network  = []string{"net/http", "database/sql", "net/rpc", "os/exec", "github.com/jackc/pgx/v5", "modernc.org/sqlite"}
)

// rule says what the packages of a group may import of ours.
type rule struct {
	packages []string
	may      []string
	never    []string // imports of others that are forbidden
}

// rules is the table of ARCHITECTURE.md. The longest name that matches a
// package decides.
var rules = []rule{
	{packages: []string{"fault", "id", "crn", "secret", "valid", "limit"}, may: []string{"fault"}, never: network},
	{packages: []string{"lists"}, may: []string{"fault", "store"}, never: network},
	{packages: []string{"signing"}, may: []string{"secret", "fault"}, never: network},
	{packages: []string{"signing/keyring"}, may: []string{"store", "secret", "fault", "signing"}, never: network},
	{packages: []string{"policy"}, may: []string{"policy", "fault", "id", "crn", "valid"},
		never: append([]string{"os", "io/fs", "context"}, network...)},
	{packages: []string{"asker"}, may: []string{"policy", "fault"}, never: network},
	{packages: []string{"store"}, may: leaves, never: network},
	{packages: []string{"store/sqlstore"}, may: append([]string{"store"}, leaves...),
		never: []string{"net/http", "github.com/jackc/pgx/v5", "modernc.org/sqlite"}},
	{packages: []string{"store/sqlitestore"}, may: append([]string{"store", "store/sqlstore"}, leaves...),
		never: []string{"net/http", "github.com/jackc/pgx/v5"}},
	{packages: []string{"store/pgstore"}, may: append([]string{"store", "store/sqlstore"}, leaves...),
		never: []string{"net/http", "modernc.org/sqlite"}},
	{packages: []string{"job"}, may: []string{"store", "fault"}, never: network},
	{packages: []string{"store/cache"}, may: append([]string{"store"}, leaves...), never: network},

	// The domain: each package may use the ones before it.
	{packages: []string{"activity", "account", "audit"}, may: under(), never: network},
	{packages: []string{"catalog"}, may: under("policy"), never: network},
	{packages: []string{"identity"}, may: under("account", "policy"), never: network},
	{packages: []string{"access"}, may: under("account", "identity", "policy"), never: network},
	{packages: []string{"authority"}, may: under("account", "identity", "access", "activity", "policy"), never: network},
	{packages: []string{"throttle"}, may: under(), never: network},
	{packages: []string{"oauth"}, may: under("throttle"), never: network},
	{packages: []string{"session"}, may: under("account", "policy"), never: network},
	{packages: []string{"token"}, may: under("account", "identity", "activity", "policy", "signing", "throttle", "oauth", "session"),
		never: network},
	{packages: []string{"enterprise"}, may: under("account", "identity", "access", "policy"), never: network},
	{packages: []string{"report"}, may: under("account", "identity", "access", "activity", "policy", "template", "token"), never: network},
	{packages: []string{"idp"}, may: under("account", "identity"), never: network},
	{packages: []string{"template"}, may: under("account", "enterprise", "policy"), never: network},
	{packages: []string{"template/kinds"}, may: under("account", "identity", "access", "policy", "template"), never: network},

	{packages: []string{"httpapi"}, may: append([]string{"store", "policy", "asker"}, leaves...), never: []string{"database/sql"}},
	{packages: []string{"api/templatewire"}, may: []string{"httpapi", "template", "store", "fault"}, never: []string{"database/sql"}},
	{packages: []string{"api"}, may: slices.Concat([]string{"httpapi", "api/templatewire", "store", "policy", "signing/keyring",
		"template/kinds"}, domain, leaves), never: []string{"database/sql"}},
	{packages: []string{"dev/devapi"}, may: append([]string{"httpapi", "store", "audit", "policy"}, leaves...),
		never: []string{"database/sql"}},
	{packages: []string{"config"}, may: []string{"access", "enterprise", "identity", "idp", "template", "limit", "secret", "signing", "fault",
		"valid"},
		never: network},
	{packages: []string{"dev/tutorial"}, may: []string{"secret"}, never: []string{"database/sql"}},
	{packages: []string{"client"}, may: []string{"secret"}, never: []string{"database/sql"}},
	{packages: []string{"cli/settings", "cli/term", "cli/shell"}, may: []string{"cli/settings", "cli/term", "cli/shell", "client", "secret",
		"valid"}, never: []string{"database/sql"}},
	{packages: []string{"cli/hush"}, never: append([]string{"fmt"}, network...)}, // starts before everything else
	{packages: []string{"cli/object", "cli/iam", "cli/enterprise"}, may: []string{"cli/term", "cli/shell", "cli/settings", "cli/object",
		"client", "secret"}, never: []string{"database/sql"}},
	{packages: []string{"cli/access"}, may: []string{"cli/term", "cli/shell", "cli/object", "cli/iam", "client"},
		never: []string{"database/sql"}},
	{packages: []string{"cli"}, may: []string{"cli", "app", "config", "dev/demo", "client", "httpapi", "secret", "signing", "dev/tutorial"},
		never: []string{"database/sql"}},
	{packages: []string{"dev/demo"}, may: []string{"*"}, never: network},
	{packages: []string{"app"}, may: []string{"*"}},
	{packages: testOnly, may: []string{"*"}},
}

// under gives what every domain package may import, and the named packages.
func under(more ...string) []string {
	return slices.Concat([]string{"store", "store/cache", "job", "asker"}, leaves, more)
}

// ruleOf finds the rule of a package.
func ruleOf(pkg string) *rule {
	var best *rule
	length := -1
	for i := range rules {
		for _, name := range rules[i].packages {
			if (pkg == name || strings.HasPrefix(pkg, name+"/")) && len(name) > length {
				best, length = &rules[i], len(name)
			}
		}
	}
	return best
}

// allows tells whether a rule lets a package import another of ours. Beneath
// the store and the command line every package is named; elsewhere a name
// stands for what is beneath it.
func (r *rule) allows(pkg, imported string) bool {
	for _, name := range r.may {
		exact := name == "store" || name == "cli" || name == "httpapi"
		if name == "*" || imported == name || !exact && strings.HasPrefix(imported, name+"/") {
			return true
		}
	}
	return pkg == path.Dir(imported) && strings.HasPrefix(pkg, "cli")
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	for _, f := range source(t) {
		pkg, internal := strings.CutPrefix(f.pkg, "internal/")
		if f.test || !internal {
			continue
		}
		r := ruleOf(pkg)
		if r == nil {
			t.Errorf("package %s has no rule: add it to ARCHITECTURE.md and to this test", f.pkg)
			continue
		}
		for _, imported := range f.imports() {
			if ours, is := strings.CutPrefix(imported, "internal/"); is {
				if !r.allows(pkg, ours) {
					t.Errorf("%s imports %s", f.path, imported)
				}
			} else if slices.ContainsFunc(r.never, func(n string) bool { return imported == n || strings.HasPrefix(imported, n+"/") }) {
				t.Errorf("%s imports %s", f.path, imported)
			}
		}
	}
}

func TestOneWirePackageNeverImportsAnother(t *testing.T) {
	for _, f := range source(t) {
		if f.test || !strings.HasPrefix(f.pkg, "internal/api/") || f.pkg == "internal/api/apitest" {
			continue
		}
		for _, imported := range f.imports() {
			if strings.HasPrefix(imported, "internal/api/") && imported != "internal/api/templatewire" {
				t.Errorf("%s imports %s", f.path, imported)
			}
		}
	}
}

func TestTestPackagesAreImportedByTestsOnly(t *testing.T) {
	is := func(pkg string) bool { return slices.Contains(testOnly, strings.TrimPrefix(pkg, "internal/")) }
	for _, f := range source(t) {
		for _, imported := range f.imports() {
			if is(imported) && !f.test && !is(f.pkg) {
				t.Errorf("%s imports %s", f.path, imported)
			}
		}
	}
}

func TestTheProgramStartsInOnePlace(t *testing.T) {
	for _, f := range source(t) {
		for _, imported := range f.imports() {
			if imported == "internal/app" && f.pkg != "internal/cli" && f.pkg != "internal/app" {
				t.Errorf("%s imports %s", f.path, imported)
			}
		}
		if f.path == "cmd/kagiban/main.go" && f.lines > 40 {
			t.Errorf("%s has %d lines", f.path, f.lines)
		}
	}
}

// TestTheDomainAsksForTheTime: a clock that can be moved is no use when
// somebody looks at another one.
func TestTheDomainAsksForTheTime(t *testing.T) {
	watched := append([]string{"policy", "signing", "dev/demo", "lists"}, domain...)
	for _, f := range source(t) {
		pkg := strings.TrimPrefix(f.pkg, "internal/")
		if f.test || !slices.ContainsFunc(watched, func(w string) bool { return pkg == w || strings.HasPrefix(pkg, w+"/") }) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && (s.Sel.Name == "Now" || s.Sel.Name == "Since" || s.Sel.Name == "Until") {
					t.Errorf("%s calls time.%s", f.set.Position(call.Pos()), s.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestWorkIsStartedWhereItMayLast: what is to go on after a request is a job, so
// that it survives the process and is seen.
func TestWorkIsStartedWhereItMayLast(t *testing.T) {
	for _, f := range source(t) {
		pkg := strings.TrimPrefix(f.pkg, "internal/")
		may := slices.ContainsFunc([]string{"app", "job", "store", "cli"}, func(p string) bool {
			return pkg == p ||
				strings.HasPrefix(pkg, p+"/")
		})
		if f.test || may || !strings.HasPrefix(f.pkg, "internal/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", f.set.Position(n.Pos()))
			case *ast.SelectorExpr:
				if n.Sel.Name == "Go" {
					t.Errorf("%s starts a goroutine", f.set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, f := range source(t) {
		if f.pkg == "internal/cli/hush" { // it is there to run before what libraries run
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", f.path)
			}
		}
	}
}

func TestEveryPackageStandsInTheArchitecture(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range source(t) {
		pkg := strings.Join(strings.SplitN(f.pkg, "/", 3)[:min(2, strings.Count(f.pkg, "/")+1)], "/")
		if !strings.Contains(string(text), "`"+pkg) {
			t.Errorf("ARCHITECTURE.md does not tell what %s is for", pkg)
		}
	}
}
