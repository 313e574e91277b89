package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// record makes what passed in this run the new floors and the rest the new
// gaps. It refuses to lower a floor.
func record(data string, verdicts []*verdict) error {
	path := filepath.Join(data, "floors.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading floors: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	for _, v := range verdicts {
		n := v.passed()
		if n < v.floor.min {
			return fmt.Errorf("%s: %d specs passed, which is under the floor %d; a floor only rises", v.floor.suite, n, v.floor.min)
		}
		for i, line := range lines {
			if fields := strings.Fields(line); len(fields) == 3 && fields[0] == v.floor.suite {
				lines[i] = fmt.Sprintf("%-28s %-6d %d", v.floor.suite, len(v.specs), n)
			}
		}
		if err := writeGaps(filepath.Join(data, "gaps", v.floor.suite+".txt"), v); err != nil {
			return err
		}
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		return fmt.Errorf("writing floors: %w", err)
	}
	return nil
}

// writeGaps keeps the comments and the order of a list that is there, takes out
// what passed and adds what is new at the end.
func writeGaps(path string, v *verdict) error {
	open := map[string]bool{}
	for _, s := range v.specs {
		if s.outcome != passed {
			open[s.name] = true
		}
	}
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		old = fmt.Appendf(nil, "# Specs of the %s suite that are not expected to pass yet: one name a line,\n"+
			"# as in the report, without the suite's title. Every other spec must pass.\n", v.floor.suite)
	} else if err != nil {
		return fmt.Errorf("reading gaps: %w", err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(old)) {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") || open[name] {
			b.WriteString(line)
		}
		delete(open, name)
	}
	for _, s := range v.specs {
		if open[s.name] {
			b.WriteString(s.name + "\n")
			delete(open, s.name)
		}
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("writing gaps: %w", err)
	}
	return nil
}
