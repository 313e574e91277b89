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
	// Pending means that success may also be 204: the answer is not ready yet.
	Pending bool

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

// Action makes the access rule of an ordinary operation.
func Action(action string) Access { return Access{Action: action} }

// Self makes the access rule of an operation that any authenticated caller
// may use, with the reason. Its handler sees only what is the caller's.
func Self(reason string) Access { return Access{Self: reason} }

// Public makes the access rule of an operation without bearer token, with the reason.
func Public(reason string) Access { return Access{Public: reason} }

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
	// ErrorType is the Go type of the error body, for the OpenAPI document; nil
	// is that of WriteErrors.
	ErrorType reflect.Type
}

// Target is the resource that an operation touches.
type Target = policy.Resource

// OldOp makes a row from a typed handler. In is a struct whose fields are bound
// by tags `path:"name"`, `query:"name"`, `header:"Name"`; a field named Body
// is decoded from the JSON body. Out is encoded as JSON; handlers of rows with
// status 204 return nil. target finds the resource (and answers NotFound);
// it may be nil for Self and Public rows.
func OldOp[In, Out any](f *Family, id, method, path string, success int, access Access,
	target func(context.Context, *Call, *In) (Target, error),
	handle func(context.Context, *Call, *In) (*Out, error)) Operation {

	bind, err := newBinder(reflect.TypeFor[In](), path)
	if err != nil {
		panic(id + ": " + err.Error())
	}
	if access.Action != "" && target == nil {
		panic(id + ": an action needs a resource to be decided on")
	}
	return Operation{
		ID: id, Family: f, Method: method, Path: path, Success: success, Access: access, Built: true,
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
		serve: func(ctx context.Context, rt *Router, c *Call, w http.ResponseWriter, r *http.Request) error {
			if f.JSONOnly && bind.body != nil && !saysJSON(r) {
				return fault.New(fault.ContentType, "The Content-Type of the request must be application/json.")
			}
			in := new(In)
			if err := bind.decode(in, w, r, c.Op.limit()); err != nil {
				return err
			}
			if v, ok := any(in).(interface{ Validate() error }); ok {
				if err := v.Validate(); err != nil {
					return err
				}
			}
			if target != nil {
				resource, err := target(ctx, c, in)
				if err != nil {
					return err
				}
				if err := rt.authorize(ctx, c, resource); err != nil {
					return err
				}
			}
			out, err := handle(ctx, c, in)
			if err != nil {
				return err
			}
			if out == nil {
				return writeEmpty(w, c)
			}
			return writeJSON(w, c, c.status(), out)
		},
	}
}

// OldRaw makes a row whose handler reads and writes HTTP itself: forms, XML, event
// streams, hot paths. Authentication has happened; a Raw row with an Action
// must call Call.Authorize before it acts. The context knows the origin of
// writes; the request's own does not.
func OldRaw(f *Family, id, method, path string, success int, access Access,
	handle func(context.Context, *Call, http.ResponseWriter, *http.Request) error) Operation {
	return Operation{
		ID: id, Family: f, Method: method, Path: path, Success: success, Access: access, Built: true,
		serve: func(ctx context.Context, _ *Router, c *Call, w http.ResponseWriter, r *http.Request) error {
			return handle(ctx, c, w, r)
		},
	}
}

// OldNotBuilt makes a row of an operation that is known and not offered yet. It
// authenticates the caller and answers 501.
func OldNotBuilt(f *Family, id, method, path string, success int, access Access) Operation {
	return Operation{
		ID: id, Family: f, Method: method, Path: path, Success: success, Access: access,
		serve: func(context.Context, *Router, *Call, http.ResponseWriter, *http.Request) error {
			return &fault.Error{Kind: fault.NotBuilt, Code: "not_implemented",
				Message: "Operation " + id + " is known to this server and not offered by this version."}
		},
	}
}

func (o *Operation) limit() int64 {
	if o.Limit == 0 {
		return DefaultBodyLimit
	}
	return o.Limit
}

// Describing gives a Raw row with the Go types of its request and answer, for
// the OpenAPI document: In has the tags that Op binds, and `form:"name"` for
// fields of a form.
func Describing[In, Out any](o Operation) Operation {
	o.In, o.Out = reflect.TypeFor[In](), reflect.TypeFor[Out]()
	return o
}

// AnsweringText gives the row with a media type of its answer: a page, a
// document in XML, metrics.
func (o Operation) AnsweringText(media string) Operation {
	o.OutText = media
	return o
}

// MayBePending gives the row of an answer that may not be ready yet: its handler
// then sets status 204.
func (o Operation) MayBePending() Operation {
	o.Pending = true
	return o
}

// TakingText gives the row with a media type of its request body.
func (o Operation) TakingText(media string) Operation {
	o.InText = media
	return o
}

// Limited gives the row with another body limit in bytes.
func (o Operation) Limited(bytes int64) Operation {
	o.Limit = bytes
	return o
}
