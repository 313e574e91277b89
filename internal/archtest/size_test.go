package archtest_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// The limits of CONTRIBUTING.md.
const (
	maxFileLines     = 600
	maxTestLines     = 800 // tables of cases read well when they are long
	maxFunctionLines = 60
	maxPackageFiles  = 40 // without tests
)

func TestFilesFunctionsAndPackagesStayReadable(t *testing.T) {
	count := map[string]int{}
	for _, f := range source(t) {
		if f.lines > maxTestLines || f.lines > maxFileLines && !f.test {
			t.Errorf("%s has %d lines", f.path, f.lines)
		}
		if f.test || slices.Contains(testOnly, strings.TrimPrefix(f.pkg, "internal/")) {
			continue
		}
		count[f.pkg]++
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || isTable(fn) {
				continue
			}
			if n := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1; n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines", f.path, fn.Name.Name, n)
			}
		}
	}
	for pkg, n := range count {
		if n > maxPackageFiles {
			t.Errorf("%s has %d files", pkg, n)
		}
	}
}

// isTable recognises a function whose body is one return of data: a literal, or
// literals joined by append, Concat or Table.
func isTable(fn *ast.FuncDecl) bool {
	if len(fn.Body.List) != 1 {
		return false
	}
	ret, ok := fn.Body.List[0].(*ast.ReturnStmt)
	return ok && len(ret.Results) == 1 && isData(ret.Results[0])
}

func isData(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return true
	case *ast.CallExpr:
		name := ""
		switch fun := e.Fun.(type) {
		case *ast.Ident:
			name = fun.Name
		case *ast.SelectorExpr:
			name = fun.Sel.Name
		}
		return name == "append" || name == "Concat" || name == "Table"
	}
	return false
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	said := map[string]bool{}
	for _, f := range source(t) {
		if f.test {
			continue
		}
		said[f.pkg] = said[f.pkg] || f.ast.Doc != nil && len(f.ast.Doc.Text()) > 60
	}
	for pkg, ok := range said {
		if !ok {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	for _, f := range source(t) {
		for _, group := range f.ast.Comments {
			for _, mark := range []string{"TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK"} {
				if strings.Contains(group.Text(), mark) {
					t.Errorf("%s: %s", f.set.Position(group.Pos()), mark)
				}
			}
		}
	}
}
