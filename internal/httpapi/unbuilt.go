package httpapi

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Unbuilt gives rows for the operations of the official SDK that a table lacks,
// so that their caller learns what is missing instead of that nothing is there.
// Operations whose paths cannot be told apart share a row, which names those
// that a request may be. What could take a request from an operation of the
// table gets no row.
func Unbuilt(table []Operation) ([]Operation, error) {
	all, err := Cover(table)
	if err != nil {
		return nil, err
	}
	families := map[string]*Family{}
	var served []*route
	for i := range table {
		families[table[i].Family.Name] = table[i].Family
		for _, path := range table[i].paths() {
			served = append(served, newRoute(table[i].Method, path))
		}
	}
	var out []Operation
	for _, r := range routesOf(all) {
		if slices.ContainsFunc(served, r.takesFrom) {
			continue
		}
		c := r.of[0]
		f := families[c.Family]
		if f == nil {
			f = &Family{Name: c.Family, Title: c.Family, WriteError: WriteErrors}
			families[c.Family] = f
		}
		op := NotBuilt{ID: c.Operation, Method: r.method, Path: strings.Join(r.segments, "/"), Status: http.StatusOK,
			Self: "it does nothing for anybody"}.operation(f)
		op.answersFor, op.serve = r.of, r.refuse
		out = append(out, op)
	}
	return out, nil
}

// route is a method and a path, and the SDK's operations that are called there.
type route struct {
	method   string
	segments []string
	of       []Coverage
}

func newRoute(method, path string, of ...Coverage) *route {
	return &route{method, strings.Split(path, "/"), of}
}

// routesOf gives routes for what is absent, of which a request always fits one best.
func routesOf(all []Coverage) (out []*route) {
	for _, c := range all {
		if c.State != StateAbsent {
			continue
		}
		next := newRoute(c.Method, c.Path, c)
		for i, segment := range next.segments {
			if variable(segment) {
				next.segments[i] = strings.ReplaceAll(segment, "-", "_") // the router's names are Go's
			}
		}
		for i := 0; i < len(out); i++ {
			if meet, open, theirs := next.beside(out[i]); meet && open == theirs && next.method == out[i].method {
				next.join(out[i])
				out, i = slices.Delete(out, i, i+1), -1 // the wider route may now meet others
			}
		}
		out = append(out, next)
	}
	return out
}

// beside tells whether one path can be of both routes, and whether r leaves
// open what other says, and other what r says.
func (r *route) beside(other *route) (meet, open, otherOpen bool) {
	for i, own := range r.segments {
		if strings.HasSuffix(own, "...}") {
			return true, true, otherOpen
		}
		if i == len(other.segments) {
			return false, false, false
		}
		theirs := other.segments[i]
		switch mine, its := variable(own), variable(theirs); {
		case strings.HasSuffix(theirs, "...}"):
			return true, open, true
		case mine && !its:
			open = true
		case its && !mine:
			otherOpen = true
		case !mine && own != theirs:
			return false, false, false
		}
	}
	return len(r.segments) == len(other.segments), open, otherOpen
}

func variable(segment string) bool { return strings.HasPrefix(segment, "{") && segment != "{$}" }

// takesFrom tells whether r would get requests of a row, or has as good a claim
// to them: the router gives each to the route that says more, and GET is HEAD, too.
func (r *route) takesFrom(row *route) bool {
	meet, open, rowOpen := r.beside(row)
	switch {
	case r.method == row.method:
		return meet && (rowOpen || !open)
	case r.method == http.MethodHead && row.method == http.MethodGet:
		return meet
	case r.method == http.MethodGet && row.method == http.MethodHead:
		return meet && rowOpen
	}
	return false
}

// join widens r so that it takes what other takes.
func (r *route) join(other *route) {
	for i, own := range r.segments {
		if theirs := other.segments[i]; own != theirs {
			r.segments[i] = "{part" + strconv.Itoa(i) + "}"
		}
	}
	r.of = append(other.of, r.of...)
}

// refuse names what the request may be.
func (r *route) refuse(_ context.Context, _ *Router, c *Call, _ http.ResponseWriter, _ *http.Request) error {
	asked := newRoute(r.method, strings.TrimSuffix(c.URL.EscapedPath(), "/"))
	var names []string
	for _, o := range r.of {
		if meet, _, _ := asked.beside(newRoute(o.Method, o.Path)); meet {
			names = append(names, o.Operation)
		}
	}
	if len(names) == 0 {
		return c.NothingHere()
	}
	return notBuilt(strings.Join(names, " or "))
}
