package sdk

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// sdkOperations is built into the server, which answers 501 for what it lacks.
const sdkOperations = "../../internal/httpapi/sdk_operations.txt"

// The list says what the SDK's clients send, of every package that has one.
func TestOperationsAreThoseOfTheSDK(t *testing.T) {
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}} {{.Dir}}",
		"github.com/IBM/platform-services-go-sdk").Output()
	must(t, err, "finding the SDK")
	version, dir, _ := strings.Cut(strings.TrimSpace(string(module)), " ")
	files, err := filepath.Glob(filepath.Join(dir, "*", "*_v[0-9].go"))
	must(t, err, "finding the SDK's packages")
	var lines []string
	for _, file := range files {
		of, err := operationsOf(file)
		must(t, err, "reading the SDK")
		lines = append(lines, of...)
	}
	slices.Sort(lines)
	got := fmt.Appendf(nil, "# Operations of github.com/IBM/platform-services-go-sdk %s: SDK package,\n"+
		"# operation in snake case, method, path below the API's host.\n%s\n", version, strings.Join(lines, "\n"))
	if *rewrite {
		must(t, os.WriteFile(sdkOperations, got, 0o644), "writing the list")
		return
	}
	want, err := os.ReadFile(sdkOperations)
	must(t, err, "reading the list")
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the SDK says: go test -run OperationsAre . -rewrite", sdkOperations)
	}
}

// operationsOf reads the file of one client: its functions build one request each.
func operationsOf(file string) (lines []string, err error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return nil, err
	}
	family, base := filepath.Base(filepath.Dir(file)), ""
	if at := parsed.Scope.Lookup("DefaultServiceURL"); at != nil {
		host, err := url.Parse(text(at.Decl.(*ast.ValueSpec).Values[0]))
		if err != nil {
			return nil, err
		}
		base = host.Path
	}
	for _, decl := range parsed.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		method, path := request(f)
		if path != "" {
			path = strings.TrimSuffix(base+path, "/") // the server takes paths with and without
			lines = append(lines, family+" "+snake(strings.TrimSuffix(f.Name.Name, "WithContext"))+" "+method+" "+path)
		}
	}
	if len(lines) == 0 {
		err = fmt.Errorf("%s builds no request", file)
	}
	return lines, err
}

// request finds the method and the path of the request that a function builds.
func request(f *ast.FuncDecl) (method, path string) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		called, ok := call.Fun.(*ast.SelectorExpr)
		switch {
		case !ok:
		case called.Sel.Name == "NewRequestBuilder":
			method = call.Args[0].(*ast.SelectorExpr).Sel.Name
		case called.Sel.Name == "ResolveRequestURL":
			path = text(call.Args[1])
		}
		return true
	})
	return method, path
}

func text(e ast.Expr) string {
	lit := e.(*ast.BasicLit)
	return constant.StringVal(constant.MakeFromLiteral(lit.Value, lit.Kind, 0))
}

var wordStart = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)

func snake(name string) string {
	return strings.ToLower(wordStart.ReplaceAllString(name, "${1}${3}_${2}${4}"))
}
