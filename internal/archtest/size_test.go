package archtest_test

import (
	"go/ast"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
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

// maxLine bounds lines, in characters.
const maxLine = 140

// longText is from which length a text in quotes is left in one piece: messages
// are looked for as people read them, documents are compared whole.
const longText = 60

func TestLinesStayReadable(t *testing.T) {
	for _, f := range source(t) {
		text, err := os.ReadFile("../../" + f.path)
		if err != nil {
			t.Fatal(err)
		}
		whole := map[int]bool{} // lines that hold a long text, or lie in one
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && len(lit.Value) >= longText {
				for line := f.set.Position(lit.Pos()).Line; line <= f.set.Position(lit.End()).Line; line++ {
					whole[line] = true
				}
			}
			return true
		})
		for i, line := range strings.Split(string(text), "\n") {
			if n := utf8.RuneCountInString(line); n > maxLine && !whole[i+1] {
				t.Errorf("%s:%d has %d characters", f.path, i+1, n)
			}
		}
	}
}
