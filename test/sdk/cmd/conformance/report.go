package main

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
)

// focus selects the integration specs; the SDK's packages hold unit and example
// specs too.
const focus = "Integration Tests"

var (
	beforeName = regexp.MustCompile(`^.*?` + focus + `\s*`)
	// moduleFolder is where this machine keeps the SDK: noise in a message.
	moduleFolder = regexp.MustCompile(`\S*/platform-services-go-sdk@[^/]*/`)
)

type outcome int

const (
	passed outcome = iota
	failed
	skipped
)

// spec is one spec of a suite's JUnit report.
type spec struct {
	// name is the spec's full text after the suite's own title.
	name    string
	outcome outcome
	// message is the first failure text, without the stack.
	message string
}

type junitSuite struct {
	Cases []struct {
		Name    string  `xml:"name,attr"`
		Skipped *string `xml:"skipped"`
		Failure *string `xml:"failure"`
		Error   *string `xml:"error"`
	} `xml:"testcase"`
}

// parseReport reads the integration specs out of a ginkgo JUnit report, in the
// order in which they ran. Specs outside of the focus are left out; they are
// reported as skipped by ginkgo.
func parseReport(text []byte) ([]spec, error) {
	var doc junitSuite
	if err := xml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("parsing JUnit report: %w", err)
	}
	var specs []spec
	for _, c := range doc.Cases {
		if !strings.Contains(c.Name, focus) {
			continue
		}
		s := spec{name: beforeName.ReplaceAllString(c.Name, "")}
		switch {
		case c.Failure != nil:
			s.outcome, s.message = failed, firstLines(*c.Failure)
		case c.Error != nil:
			s.outcome, s.message = failed, firstLines(*c.Error)
		case c.Skipped != nil:
			s.outcome, s.message = skipped, firstLines(*c.Skipped)
		}
		specs = append(specs, s)
	}
	return specs, nil
}

// firstLines shortens a failure to what a reader needs to see first: its
// location is in there, the dumped values usually run to pages.
func firstLines(text string) string {
	const maxLines, maxBytes = 6, 600
	lines := strings.Split(moduleFolder.ReplaceAllString(strings.TrimSpace(text), ""), "\n")
	if len(lines) > maxLines {
		lines = append(lines[:maxLines], "…")
	}
	out := strings.Join(lines, "\n")
	if len(out) > maxBytes {
		out = strings.ToValidUTF8(out[:maxBytes], "") + "…"
	}
	return out
}
