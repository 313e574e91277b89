package archtest_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/kagiban/kagiban/"

// file is a parsed Go file of the repository.
type file struct {
	path  string // from the module's root, with slashes
	pkg   string // folder, without the module's path
	test  bool
	lines int
	ast   *ast.File
	set   *token.FileSet
}

// imports gives the import paths of a file; ours without the module's path.
func (f *file) imports() []string {
	var out []string
	for _, spec := range f.ast.Imports {
		// The parser has checked that it is a string.
		p, _ := strconv.Unquote(spec.Path.Value)
		out = append(out, strings.TrimPrefix(p, module))
	}
	return out
}

// files parses every Go file below internal and cmd, once.
var files = sync.OnceValues(func() ([]*file, error) {
	root := filepath.Join("..", "..")
	var out []*file
	for _, top := range []string{"internal", "cmd"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == "testdata" {
				return leaveOut(err)
			}
			if d.IsDir() || !strings.HasSuffix(name, ".go") {
				return nil
			}
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			set := token.NewFileSet()
			parsed, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			rel = filepath.ToSlash(rel)
			out = append(out, &file{path: rel, pkg: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
				lines: bytes.Count(text, []byte("\n")), ast: parsed, set: set})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
})

// leaveOut keeps a walk out of a folder, or ends it with an error.
func leaveOut(err error) error {
	if err != nil {
		return err
	}
	return filepath.SkipDir
}

func source(t *testing.T) []*file {
	t.Helper()
	list, err := files()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 100 {
		t.Fatalf("only %d files were found", len(list))
	}
	return list
}
