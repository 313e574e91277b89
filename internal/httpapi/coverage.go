package httpapi

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// sdkOperations lists what the official SDK can call; a test of the nested
// module test/sdk derives it from the SDK.
//
//go:embed sdk_operations.txt
var sdkOperations string

// Coverage says how one operation of the official SDK stands in a table.
type Coverage struct {
	Family    string `json:"family"` // SDK package
	Operation string `json:"operation"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	State     State  `json:"state"`
}

// State is the state of an operation.
type State string

// The states.
const (
	StateBuilt    State = "built"
	StateNotBuilt State = "not built" // known, answers 501
	StateAbsent   State = "absent"    // no row: answers 404
	// StateWrong: the row has another method or path than the SDK calls. The
	// table's tests refuse it.
	StateWrong State = "wrong"
	// StateOwn: a row that the SDK does not have.
	StateOwn State = "own"
)

// Cover compares a table with the official SDK: one entry for each operation of
// either, by family and operation.
func Cover(table []Operation) ([]Coverage, error) {
	rows, unbuilt := map[string]*Operation{}, map[Coverage]bool{}
	for i := range table {
		if rows[table[i].Family.Name+" "+table[i].ID] = &table[i]; table[i].answersFor != nil {
			delete(rows, table[i].Family.Name+" "+table[i].ID)
		}
		for _, c := range table[i].answersFor {
			unbuilt[c] = true
		}
	}
	out, err := ofSDK()
	if err != nil {
		return nil, err
	}
	for i := range out {
		c := &out[i]
		if unbuilt[*c] {
			c.State = StateNotBuilt
		} else if op := rows[c.Family+" "+c.Operation]; op != nil {
			c.State = stateOf(op, *c)
			delete(rows, c.Family+" "+c.Operation)
		}
	}
	for _, op := range rows {
		out = append(out, Coverage{op.Family.Name, op.ID, op.Method, documentPath(op.Path), StateOwn})
	}
	slices.SortFunc(out, func(a, b Coverage) int {
		return strings.Compare(a.Family+" "+a.Operation, b.Family+" "+b.Operation)
	})
	return out, nil
}

// ofSDK gives what the SDK can call, none of it served.
func ofSDK() (out []Coverage, err error) {
	for line := range strings.Lines(sdkOperations) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 {
			return nil, fmt.Errorf("reading the SDK's operations: line %q has %d fields", line, len(f))
		}
		out = append(out, Coverage{f[0], f[1], f[2], f[3], StateAbsent})
	}
	return out, nil
}

func stateOf(op *Operation, c Coverage) State {
	switch {
	case op.Method != c.Method || shape(op.Path) != shape(c.Path):
		return StateWrong
	case !op.Built:
		return StateNotBuilt
	}
	return StateBuilt
}

// shape gives a path with nameless wildcards: "/v1/apikeys/{}".
func shape(path string) string {
	parts := strings.Split(documentPath(path), "/")
	for i, p := range parts {
		if strings.HasPrefix(p, "{") {
			parts[i] = "{}"
		}
	}
	return strings.Join(parts, "/")
}
