package httpapi

import (
	_ "embed"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// sdkOperations lists what the official SDK can call; a test of the nested
// module test/sdk may compare it with a newer SDK.
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
	rows := map[string]*Operation{}
	for i := range table {
		rows[table[i].Family.Name+" "+table[i].ID] = &table[i]
	}
	out, err := ofSDK()
	if err != nil {
		return nil, err
	}
	for i := range out {
		c := &out[i]
		if op := rows[c.Family+" "+c.Operation]; op != nil {
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

// Unbuilt gives a row for every operation of the official SDK that a table
// lacks, so that its caller learns what is missing instead of that nothing is
// there. What cannot be told from another operation's path gets none.
func Unbuilt(table []Operation) ([]Operation, error) {
	all, err := Cover(table)
	if err != nil {
		return nil, err
	}
	families, routes := map[string]*Family{}, http.NewServeMux()
	for i := range table {
		families[table[i].Family.Name] = table[i].Family
		for _, path := range table[i].paths() {
			reserve(routes, table[i].Method+" "+path)
		}
	}
	var out []Operation
	for _, c := range all {
		if c.State != StateAbsent || !reserve(routes, c.Method+" "+c.Path) {
			continue
		}
		f := families[c.Family]
		if f == nil {
			f = &Family{Name: c.Family, Title: c.Family, WriteError: WriteErrors}
			families[c.Family] = f
		}
		out = append(out, NotBuilt{ID: c.Operation, Method: c.Method, Path: c.Path, Status: http.StatusOK,
			Self: "it does nothing for anybody"}.operation(f))
	}
	return out, nil
}

// reserve takes a route, unless it is in conflict with one that was taken.
func reserve(routes *http.ServeMux, pattern string) (ok bool) {
	defer func() { ok = recover() == nil }() // which is how ServeMux says so
	routes.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	return true
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
