package archtest_test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// collection is a package variable that store.NewCollection made.
type collection struct{ pkg, name, kind string }

// collections finds all of them.
func collections(t *testing.T) []collection {
	t.Helper()
	var out []collection
	for _, f := range source(t) {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, s := range g.Specs {
				out = append(out, made(f.pkg, s.(*ast.ValueSpec))...) // what VAR declares
			}
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d collections were found", len(out))
	}
	return out
}

// made gives the collections of one declaration.
func made(pkg string, v *ast.ValueSpec) (out []collection) {
	for i, value := range v.Values {
		call, ok := value.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			continue
		}
		fun := call.Fun
		if x, ok := fun.(*ast.IndexExpr); ok { // NewCollection[T]
			fun = x.X
		}
		if sel, ok := fun.(*ast.SelectorExpr); !ok || sel.Sel.Name != "NewCollection" {
			continue
		}
		if lit, ok := call.Args[0].(*ast.BasicLit); ok {
			kind, _ := strconv.Unquote(lit.Value) // the parser has checked it
			out = append(out, collection{pkg, v.Names[i].Name, kind})
		}
	}
	return out
}

// TestAPackageWritesItsOwnCollectionsOnly: a rule about an object stands in the
// package that owns it, so nobody else writes it.
func TestAPackageWritesItsOwnCollectionsOnly(t *testing.T) {
	writes := []string{"Create", "Update", "Delete", "Edit", "Remove"}
	all := collections(t)
	for _, f := range source(t) {
		if f.test || slices.Contains(testOnly, strings.TrimPrefix(f.pkg, "internal/")) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			args := append([]ast.Expr{call.Fun}, call.Args...) // helpers take the collection as an argument
			for i, arg := range args {
				sel, ok := arg.(*ast.SelectorExpr)
				if !ok {
					continue
				}
				if i == 0 {
					if !slices.Contains(writes, sel.Sel.Name) {
						continue
					}
					if sel, ok = sel.X.(*ast.SelectorExpr); !ok {
						continue
					}
				} else if name, ok := call.Fun.(*ast.Ident); !ok || !slices.Contains([]string{"create", "update", "change", "remove"}, name.Name) {
					continue
				}
				if owner := ownerOf(f, sel, all); owner != "" && owner != f.pkg {
					t.Errorf("%s writes %s.%s, which is %s's", f.set.Position(call.Pos()), path.Base(owner), sel.Sel.Name, owner)
				}
			}
			return true
		})
	}
}

// ownerOf gives the package of the collection that pkg.Name names in a file.
func ownerOf(f *file, sel *ast.SelectorExpr, all []collection) string {
	x, ok := sel.X.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, c := range all {
		if c.name == sel.Sel.Name && path.Base(c.pkg) == x.Name && slices.Contains(f.imports(), c.pkg) {
			return c.pkg
		}
	}
	return ""
}

// TestKindsAreNamedByTheirOwners: a kind's name as a string elsewhere is a second
// opinion about what is stored.
func TestKindsAreNamedByTheirOwners(t *testing.T) {
	owners := map[string]string{}
	for _, c := range collections(t) {
		owners[c.kind] = c.pkg
	}
	for _, f := range source(t) {
		if f.test || strings.HasPrefix(f.pkg, "internal/store") {
			continue
		}
		check := func(e ast.Expr) {
			lit, ok := e.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return
			}
			kind, _ := strconv.Unquote(lit.Value)
			if owner := owners[kind]; owner != "" && owner != f.pkg {
				t.Errorf("%s names the kind %q of %s", f.set.Position(e.Pos()), kind, owner)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Kind" {
					check(n.Value)
				}
			case *ast.BinaryExpr:
				for _, pair := range [][2]ast.Expr{{n.X, n.Y}, {n.Y, n.X}} {
					if sel, ok := pair[0].(*ast.SelectorExpr); ok && sel.Sel.Name == "Kind" {
						check(pair[1])
					}
				}
			}
			return true
		})
	}
}

// TestServicesAreClosed: what a service holds is its own. It is made by New, and
// nobody reaches through it to a store, a pager or another service.
func TestServicesAreClosed(t *testing.T) {
	names := []string{"Service", "API", "Authority", "Registry", "Runner", "Standing", "Feed"}
	for _, f := range source(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok || !slices.Contains(names, spec.Name.Name) || slices.Contains([]string{"internal/catalog", "internal/policy"}, f.pkg) &&
				spec.Name.Name == "Service" {
				return true // the catalogue's services are data
			}
			s, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range s.Fields.List {
				for _, name := range fieldNames(field) {
					if ast.IsExported(name) {
						t.Errorf("%s: %s.%s has the exported field %s", f.set.Position(field.Pos()), path.Base(f.pkg), spec.Name.Name, name)
					}
				}
			}
			return true
		})
	}
}

// fieldNames gives the names of a field; an embedded one has its type's.
func fieldNames(field *ast.Field) (out []string) {
	for _, n := range field.Names {
		out = append(out, n.Name)
	}
	if len(out) > 0 {
		return out
	}
	switch x := field.Type.(type) {
	case *ast.Ident:
		return []string{x.Name}
	case *ast.SelectorExpr:
		return []string{x.Sel.Name}
	case *ast.StarExpr:
		return fieldNames(&ast.Field{Type: x.X})
	}
	return nil
}
