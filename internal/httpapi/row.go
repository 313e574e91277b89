package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/valid"
)

// Row is one operation as its family writes it down: an Op, a Raw or a NotBuilt.
type Row interface{ operation(*Family) Operation }

// Table makes the operations of a family. A row that cannot work (an action
// without resource, a tag without its path segment) panics: the table is code.
func Table(f *Family, rows ...Row) []Operation {
	table := make([]Operation, len(rows))
	for i, r := range rows {
		table[i] = r.operation(f)
	}
	return table
}

// None stands for what an operation does not have: nothing found, nothing
// answered.
type None = struct{}

// Op is an operation on JSON: what comes in, what is found, what goes out.
//
// In is a struct whose fields are bound by tags `path:"name"`, `query:"name"`,
// `header:"Name"`; a field named Body is decoded from the JSON body. Out is
// encoded as JSON; rows of status 204 answer nil.
type Op[In, Found, Out any] struct {
	ID, Method, Path string
	Status           int // of success
	// Exactly one of the three says who may call it, as in Access.
	Action, Self, Public string
	Limit                int64 // of the body in bytes; 0 means DefaultBodyLimit
	Pending              bool  // success may also be 204: the answer is not ready yet

	// Check judges the request by itself, before anything is looked up; nil: all
	// is well.
	Check func(*In) error
	// Find finds what the operation is about and the resource that Action is
	// decided on, or answers NotFound. It is the only one who reads that object.
	// nil finds nothing: rows without Action only.
	Find func(context.Context, *Call, *In) (Found, Target, error)
	// Do does it, after the decision, with what was found. When the store says
	// that the object has moved since (store.ErrMoved), all three begin again.
	Do func(context.Context, *Call, *In, Found) (*Out, error)
}

// Given is what was found, and what the request says of it, checked.
type Given[Found any, Spec valid.Checker] struct {
	Found Found
	Spec  valid.Of[Spec]
}

// Checking makes the Find of a row whose request says something of what another
// Find finds. That is checked first: what is malformed is so whatever there is.
func Checking[In, Found any, Spec valid.Checker](spec func(In) Spec, find func(context.Context, *Call, *In) (Found, Target, error),
) func(context.Context, *Call, *In) (Given[Found, Spec], Target, error) {
	return func(ctx context.Context, c *Call, in *In) (g Given[Found, Spec], on Target, err error) {
		if g.Spec, err = valid.Check(spec(*in)); err != nil {
			return g, on, err
		}
		g.Found, on, err = find(ctx, c, in)
		return g, on, err
	}
}

func (o Op[In, Found, Out]) operation(f *Family) Operation {
	if o.Action != "" && o.Find == nil {
		panic(o.ID + ": an action needs a resource to be decided on")
	}
	row := Operation{
		ID: o.ID, Family: f, Method: o.Method, Path: o.Path, Success: o.Status, Limit: o.Limit, Pending: o.Pending, Built: true,
		Access: Access{Action: o.Action, Self: o.Self, Public: o.Public}, In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](),
	}
	// Little is done by type: the compiler makes this anew for every row.
	return row.serving(func() any { return new(In) }, func(ctx context.Context, rt *Router, c *Call, sent any, first bool) (any, error) {
		in := sent.(*In) // what the function before has made
		if first && o.Check != nil {
			if err := o.Check(in); err != nil {
				return nil, err
			}
		}
		var found Found
		if o.Find != nil {
			var target Target
			var err error
			if found, target, err = o.Find(ctx, c, in); err != nil {
				return nil, err
			}
			if err := rt.authorize(ctx, c, target); err != nil {
				return nil, err
			}
		}
		out, err := o.Do(ctx, c, in, found)
		if out == nil {
			return nil, err
		}
		return out, err
	})
}

// round is one try of an operation: it finds, decides and does. The first one
// checks what was sent.
type round func(ctx context.Context, rt *Router, c *Call, sent any, first bool) (any, error)

// serving completes a row on JSON.
func (op Operation) serving(input func() any, try round) Operation {
	bind, err := newBinder(op.In, op.Path)
	if err != nil {
		panic(op.ID + ": " + err.Error())
	}
	bind.strict = op.Family.Strict
	op.serve = func(ctx context.Context, rt *Router, c *Call, w http.ResponseWriter, r *http.Request) error {
		in := input()
		if err := bind.read(in, c, w, r); err != nil {
			return err
		}
		var out any
		first := true
		err := c.Retry(ctx, func() (err error) {
			out, err = try(ctx, rt, c, in, first)
			first = false
			return err
		})
		if err != nil {
			return err
		}
		if out == nil {
			return writeEmpty(w, c)
		}
		return WriteJSON(w, c, c.status(), out)
	}
	return op
}

// read decodes a request into a value of the row's type.
func (b *binder) read(in any, c *Call, w http.ResponseWriter, r *http.Request) error {
	if c.Op.Family.JSONOnly && b.body != nil && !saysJSON(r) {
		return fault.New(fault.ContentType, "The Content-Type of the request must be application/json.")
	}
	return b.decode(in, w, r, c.Op.limit())
}

// maxRounds bounds how often an operation begins again because others wrote to
// its object between its decision and its write. Each round means that somebody
// else's write succeeded.
const maxRounds = 20

// Retry runs f, which finds, decides and does, until nobody came in between. Op
// does it itself; a Raw that writes to what it found calls it.
func (c *Call) Retry(ctx context.Context, f func() error) (err error) {
	for range maxRounds {
		store.BasisOf(ctx).Clear()
		if err = f(); !errors.Is(err, store.ErrMoved) || ctx.Err() != nil {
			break
		}
		c.etag, c.success, c.absent = "", 0, nil
	}
	return err
}

// Raw is an operation that reads and writes HTTP itself: forms, XML, event
// streams, hot paths. Authentication has happened; one with an Action must call
// Call.Authorize before it acts.
type Raw struct {
	ID, Method, Path     string
	Status               int
	Action, Self, Public string
	Pending, AnyOrigin   bool
	Alias                string // a second path
	// Takes and Gives describe request and answer for the OpenAPI document, made
	// by Type: Takes has the tags that Op binds, and `form:"name"` for fields of a
	// form. InText and OutText are media types of a text instead, or as well.
	Takes, Gives    reflect.Type
	InText, OutText string
	// Serve answers. The context knows the origin of writes; the request's own
	// does not.
	Serve func(context.Context, *Call, http.ResponseWriter, *http.Request) error
}

// Type gives the type of T for Raw.
func Type[T any]() reflect.Type { return reflect.TypeFor[T]() }

func (o Raw) operation(f *Family) Operation {
	return Operation{
		ID: o.ID, Family: f, Method: o.Method, Path: o.Path, Success: o.Status, Pending: o.Pending, Built: true,
		AnyOrigin: o.AnyOrigin, Alias: o.Alias,
		Access: Access{Action: o.Action, Self: o.Self, Public: o.Public}, In: o.Takes, Out: o.Gives, InText: o.InText, OutText: o.OutText,
		serve: func(ctx context.Context, _ *Router, c *Call, w http.ResponseWriter, r *http.Request) error {
			return o.Serve(ctx, c, w, r)
		},
	}
}

// NotBuilt is an operation that is known and not offered yet. It authenticates
// the caller and answers 501.
type NotBuilt struct {
	ID, Method, Path     string
	Status               int
	Action, Self, Public string
}

func (o NotBuilt) operation(f *Family) Operation {
	return Operation{
		ID: o.ID, Family: f, Method: o.Method, Path: o.Path, Success: o.Status, Access: Access{Action: o.Action, Self: o.Self, Public: o.Public},
		serve: func(context.Context, *Router, *Call, http.ResponseWriter, *http.Request) error {
			return notBuilt(o.ID)
		},
	}
}

func notBuilt(operation string) error {
	return &fault.Error{Kind: fault.NotBuilt, Code: "not_implemented",
		Message: fmt.Sprintf("Operation %s is known to this server and not offered by this version.", operation)}
}
