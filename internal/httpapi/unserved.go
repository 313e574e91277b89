package httpapi

import (
	"net/http"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
)

func (rt *Router) unknownPath(w http.ResponseWriter, r *http.Request) {
	if family, methods := rt.otherMethods(r); family != nil {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		rt.refuse(w, r, family, &fault.Error{Kind: fault.MethodNotAllowed, Code: "method_not_allowed", Number: "BXNIM0060E",
			Message: "Method " + clip(r.Method, 20) + " is not allowed at " + fault.Echo(r.URL.Path) + ".", Details: "HTTP 405 Method Not Allowed"})
		return
	}
	if rt.cfg.Fallback != nil {
		rt.cfg.Fallback.ServeHTTP(w, r)
		return
	}
	rt.NotFound(w, r)
}

// otherMethods finds the methods that the path has. Patterns without method
// would do the same, but two rows like /a/{x}/b and /a/c/{y} with different
// methods would then conflict.
func (rt *Router) otherMethods(r *http.Request) (*Family, []string) {
	var family *Family
	var methods []string
	probe := *r
	for _, m := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead} {
		probe.Method = m
		if _, pattern := rt.mux.Handler(&probe); rt.fams[pattern] != nil {
			family, methods = rt.fams[pattern], append(methods, m)
		}
	}
	return family, methods
}

// NotFound answers a path that nothing serves, in the default family's envelope.
func (rt *Router) NotFound(w http.ResponseWriter, r *http.Request) {
	rt.refuse(w, r, rt.cfg.Default, nothingAt(r.Method, r.URL.Path))
}

// NothingHere is the answer of an operation that is not there for its caller:
// that of a path that nothing serves.
func (c *Call) NothingHere() error { return nothingAt(c.Method, c.URL.Path) }

func nothingAt(method, path string) *fault.Error {
	return &fault.Error{Kind: fault.NotFound, Code: "not_found",
		Message: "There is nothing at " + clip(method, 20) + " " + fault.Echo(path) + "."}
}

// unserved stands for the operation where there is none. There is one for each
// family, since metrics remember operations.
func unserved(f *Family) *Operation { return &Operation{ID: "none", Family: f} }

// Asked is the method of the request, fit for logs.
func (c *Call) Asked() string {
	if c.Op.Method != "" {
		return c.Op.Method
	}
	return clip(c.Method, 20)
}

// Path is the path of the operation, with its segments named. Where nothing is
// served it is the one that was asked for, fit for logs.
func (c *Call) Path() string {
	if c.Op.Path != "" {
		return c.Op.Path
	}
	return clip(c.URL.Path, 200)
}

func (rt *Router) refuse(w http.ResponseWriter, r *http.Request, f *Family, e *fault.Error) {
	c := rt.begin(rt.none[f], r)
	rt.standardHeaders(w, c)
	rt.fail(w, c, e)
	rt.end(c)
}

// preflight tells a browser that pages of any origin may read what an operation
// answers, without credentials.
func (rt *Router) preflight(op *Operation, w http.ResponseWriter, r *http.Request) {
	c := rt.begin(op, r)
	rt.standardHeaders(w, c)
	h := w.Header()
	h["Access-Control-Allow-Origin"] = headerAnyOrigin
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "*")
	h.Set("Access-Control-Max-Age", "86400")
	c.Status = http.StatusNoContent
	w.WriteHeader(c.Status)
	rt.end(c)
}
