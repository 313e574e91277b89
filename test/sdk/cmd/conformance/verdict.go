package main

import (
	"fmt"
	"io"
	"strings"
)

// verdict compares one suite's run with its floor and its known gaps.
type verdict struct {
	floor floor
	specs []spec
	gaps  map[string]bool
	// missing are settings of the suite that the server did not give.
	missing []string
	faults  []string // reasons why the suite fails as a whole
}

func (v *verdict) passed() int {
	n := 0
	for _, s := range v.specs {
		if s.outcome == passed {
			n++
		}
	}
	return n
}

// judge fills in the faults.
func (v *verdict) judge() {
	if len(v.specs) != v.floor.total {
		v.fault("the suite has %d specs, floors.txt says %d", len(v.specs), v.floor.total)
	}
	if n := v.passed(); n < v.floor.min {
		v.fault("%d specs passed, the floor is %d", n, v.floor.min)
	}
	if v.floor.min > 0 {
		if n := len(v.unexpected()); n > 0 {
			v.fault("%d specs did not pass that are not in the list of gaps", n)
		}
		if len(v.missing) > 0 {
			v.fault("kagiban dev did not write %s", strings.Join(v.missing, ", "))
		}
	}
	known := map[string]bool{}
	for _, s := range v.specs {
		known[s.name] = true
	}
	for name := range v.gaps {
		if !known[name] && len(v.specs) > 0 {
			v.fault("the list of gaps names %q, which the suite does not have", name)
		}
	}
}

func (v *verdict) fault(format string, args ...any) {
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}

// unexpected are the specs that did not pass and are not known gaps. A suite
// may have specs of equal name; one gap line covers them all.
func (v *verdict) unexpected() []spec {
	var list []spec
	for _, s := range v.specs {
		if s.outcome != passed && !v.gaps[s.name] {
			list = append(list, s)
		}
	}
	return list
}

// closed are the gaps that pass by now.
func (v *verdict) closed() []spec {
	var list []spec
	for _, s := range v.specs {
		if s.outcome == passed && v.gaps[s.name] {
			list = append(list, s)
		}
	}
	return list
}

// details prints the specs that need a reader; all adds the known gaps.
func (v *verdict) details(w io.Writer, all bool) {
	for _, s := range v.specs {
		if s.outcome == passed || (v.gaps[s.name] && !all) {
			continue
		}
		word := "FAILED "
		if s.outcome == skipped {
			word = "SKIPPED"
		}
		if v.gaps[s.name] {
			word += " (known gap)"
		}
		fmt.Fprintf(w, "  %s %s\n", word, s.name)
		if s.message != "" {
			fmt.Fprintf(w, "%s\n", indent(s.message))
		}
	}
	for _, s := range v.closed() {
		fmt.Fprintf(w, "  PASSED now: %s\n", s.name)
	}
	if len(v.closed()) > 0 {
		fmt.Fprintf(w, "  raise the floor and take these out of the list of gaps\n")
	}
	for _, f := range v.faults {
		fmt.Fprintf(w, "  %s\n", f)
	}
}
