package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

var conformanceLine = regexp.MustCompile(`(?m)^(\S+): (\d+) of (\d+) passed \(floor (\d+)\)$`)

// stepConformance runs every official suite on servers in memory.
func stepConformance(ctx context.Context, e *env) (counts, error) {
	return e.conformance(ctx, e.kagiban(), "")
}

// stepConformancePG runs the suites that take no minutes on servers that keep
// everything in PostgreSQL.
func stepConformancePG(ctx context.Context, e *env) (counts, error) {
	database := os.Getenv("KAGIBAN_TEST_PG")
	if database == "" {
		return check(errors.New("KAGIBAN_TEST_PG is not set"))
	}
	binary := filepath.Join(e.cache, "bin", "pgdev")
	args := []string{"go", "build", "-o", binary}
	if e.race {
		args = append(args, "-race")
	}
	if err := e.command(ctx, ".", append(args, "./test/conformance/pgdev")...); err != nil {
		return check(err)
	}
	return e.conformance(ctx, binary, database, "iamidentityv1", "iampolicymanagementv1", "enterprisemanagementv1")
}

// conformance counts the specs of official suites, of all when none is named.
// The gaps that are known by name are counted as skipped: nobody may take them
// for passed.
func (e *env) conformance(ctx context.Context, binary, database string, suites ...string) (counts, error) {
	logs := filepath.Join(e.cache, "conformance", filepath.Base(binary))
	args := []string{"env", "KAGIBAN_BIN=" + binary, "DEV_DATABASE=" + database, "test/conformance/run", "-logs", logs}
	out, err := e.output(ctx, ".", append(args, suites...)...)
	var c counts
	for _, m := range conformanceLine.FindAllSubmatch(out, -1) {
		n := [3]int{}
		for i := range n {
			n[i], _ = strconv.Atoi(string(m[i+2])) // the pattern allows digits only
		}
		passed, total := n[0], n[1]
		c.passed += passed
		if err != nil {
			c.failed += total - passed
		} else {
			c.skipped += total - passed
		}
		e.note("%s, with %s", m[0], filepath.Base(binary))
	}
	if err != nil && c.failed == 0 {
		c.failed = 1
	}
	if c.skipped > 0 {
		e.note("specs that did not pass are known gaps by name (test/conformance/gaps); they count as skipped")
	}
	return c, err
}
