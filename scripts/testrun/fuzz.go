package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// fuzzTarget is one Fuzz function.
type fuzzTarget struct {
	dir  string // relative to the module, with a leading ./
	name string
}

var fuzzFunction = regexp.MustCompile(`(?m)^func (Fuzz[A-Z0-9_]\w*)\(`)

// findFuzzTargets reads the test files of the module at root; folders with a
// go.mod of their own are other modules.
func findFuzzTargets(root string) ([]fuzzTarget, error) {
	var targets []fuzzTarget
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, modErr := os.Stat(filepath.Join(path, "go.mod"))
			hidden := strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"
			if path != root && (modErr == nil || hidden) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		for _, m := range fuzzFunction.FindAllSubmatch(text, -1) {
			targets = append(targets, fuzzTarget{"./" + filepath.ToSlash(dir), string(m[1])})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for fuzz targets: %w", err)
	}
	slices.SortFunc(targets, func(a, b fuzzTarget) int {
		return cmp.Or(strings.Compare(a.dir, b.dir), strings.Compare(a.name, b.name))
	})
	return targets, nil
}

// stoppedLate recognizes a false failure of Go before 1.27 (golang/go issue
// 75804): at the end of -fuzztime the coordinator may take its own deadline for
// a worker's error. No input failed then.
func stoppedLate(output []byte) bool {
	return bytes.Contains(output, []byte("\n    context deadline exceeded\n")) &&
		!bytes.Contains(output, []byte("Failing input written")) && !bytes.Contains(output, []byte("panic"))
}

// fuzzTime shares budget among n targets: five seconds each as long as they
// fit, never under one.
func fuzzTime(n int, budget time.Duration) time.Duration {
	if n == 0 {
		return 0
	}
	return min(5*time.Second, max(time.Second, (budget/time.Duration(n)).Truncate(time.Second)))
}
