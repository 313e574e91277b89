package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// allowedSkips are the Go tests that may be skipped on CI, with the reason.
type allowedSkips map[testID]string

// readAllowedSkips parses lines "package Test reason…"; # starts a comment line.
func readAllowedSkips(path string) (allowedSkips, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading allowed skips: %w", err)
	}
	allowed := allowedSkips{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 3 {
			return nil, fmt.Errorf("reading allowed skips: line %d is not \"package Test reason\"", i+1)
		}
		allowed[testID{fields[0], fields[1]}] = strings.Join(fields[2:], " ")
	}
	return allowed, nil
}

// judgeSkips turns skips that are not allowed into failures.
func (r *goResults) judgeSkips(allowed allowedSkips) {
	for _, s := range r.skips {
		if _, ok := allowed[s.id]; ok {
			continue
		}
		r.skipped--
		r.failed++
		s.output = "skipped, which is not allowed here:\n" + s.output
		r.failures = append(r.failures, s)
	}
}

// reason is the listed reason of a skip, or the last line that the test wrote.
func (a allowedSkips) reason(s failure) string {
	if why, ok := a[s.id]; ok {
		return why
	}
	last := ""
	for line := range strings.SplitSeq(s.output, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			last = line
		}
	}
	return last
}
