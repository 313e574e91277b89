// Package httpapi turns the table of operations into an HTTP service: one row
// per operation names path, types, status, IAM action and resource, and the
// adapter does everything that is the same for all of them (transaction id,
// body limit, authentication, decoding, validation, authorization, envelope,
// log line, metrics). It holds no rule of IAM: who the caller is and what a
// caller may do are asked through two interfaces.
package httpapi

import (
	"context"
	"net/http"
	"reflect"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
)

// Operation is a row of the table of operations, as the router and all reports
// read it. Table makes it from a Row; one that is wrong makes NewRouter fail.
type Operation struct {
	ID      string  // the SDK's operation name in snake case, e.g. "create_api_key"
	Family  *Family // API family: envelope, headers, SDK package
	Method  string
	Path    string // ServeMux pattern without method and trailing slash
	Success int    // status of success
	Access  Access // who may call it
	// Limit is the largest request body in bytes; 0 means DefaultBodyLimit.
	Limit int64
	// Built is false for operations that are known and answer 501.
	Built bool
	// In and Out are the Go types of request and answer, nil for none; the
	// OpenAPI document is made from them.
	In, Out reflect.Type
	// InText and OutText are media types in which request and answer are a text
	// instead of JSON, or as well when there is a type.
	InText, OutText string
	// Alias is a second path of the operation, "" for none. Documents and metrics
	// know the first one.
	Alias string
	// Pending means that success may also be 204: the answer is not ready yet.
	Pending bool
	// AnyOrigin lets web pages of every origin read the answer. It is public, and
	// no credential changes it.
	AnyOrigin bool

	answersFor []Coverage // what a row of Unbuilt stands for

	serve func(context.Context, *Router, *Call, http.ResponseWriter, *http.Request) error
}

// DefaultBodyLimit bounds request bodies of operations that do not say
// otherwise. The largest body of the official suites is under 10 KiB; bulk
// decision requests carry 1,000 items of some 200 bytes.
const DefaultBodyLimit = 256 << 10

// Access says what a caller needs. Exactly one of Action, Self and Public is set.
type Access struct {
	// Action is the IAM action that is decided on the operation's resource.
	Action string
	// Self tells why an authenticated caller needs no permission.
	Self string
	// Public tells why the operation needs no bearer token.
	Public string
}

// Family is one API as its SDK package knows it.
type Family struct {
	Name string // SDK package, e.g. "iamidentityv1"
	// Title is the API's name for people, in the OpenAPI document.
	Title string
	// Service is the value of the Ibm-Cloud-Service-Name response header.
	Service string
	// WriteError renders the family's error envelope. status is the one of StatusOf.
	WriteError func(w http.ResponseWriter, c *Call, e *fault.Error, status int)
	// JSONOnly refuses bodies that say they are something else with 415. Other
	// families read whatever comes as JSON.
	JSONOnly bool
	// Strict refuses properties of bodies and parameters that the operation does
	// not have. Other
	// families ignore them, as the official service does.
	Strict bool
	// ErrorType is the Go type of the error body, for the OpenAPI document; nil
	// is that of WriteErrors.
	ErrorType reflect.Type
}

// Target is the resource that an operation touches.
type Target = policy.Resource

func (o *Operation) paths() []string {
	if o.Alias == "" {
		return []string{o.Path}
	}
	return []string{o.Path, o.Alias}
}

func (o *Operation) limit() int64 {
	if o.Limit == 0 {
		return DefaultBodyLimit
	}
	return o.Limit
}
