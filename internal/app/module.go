package app

import (
	"context"
	"errors"
	"slices"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/job"
)

// module is what a domain or a family of the API brings to a server. What it has
// not is nil.
type module struct {
	rows []httpapi.Operation
	jobs []job.Kind
	// maintain does, every few seconds, what concerns this node alone: writing
	// what it has in memory, taking over what others wrote.
	maintain func(context.Context) error
	// intercept comes before each operation, in the order of the modules: an error
	// is answered in its place.
	intercept func(context.Context, *httpapi.Call) error
	// observe hears of each call after its answer.
	observe func(*httpapi.Call)
	// close ends the module; what still has to be written is written. Modules are
	// closed in the order opposite to that in which they were added.
	close func(context.Context) error
}

// modules are the parts of a server.
type modules []module

func (all *modules) add(m ...module) { *all = append(*all, m...) }

func (all modules) rows() (rows []httpapi.Operation) {
	for _, m := range all {
		rows = append(rows, m.rows...)
	}
	return rows
}

func (all modules) jobs() (kinds []job.Kind) {
	for _, m := range all {
		kinds = append(kinds, m.jobs...)
	}
	return kinds
}

func (all modules) maintain(ctx context.Context) error {
	var err error
	for _, m := range all {
		if m.maintain != nil {
			err = errors.Join(err, m.maintain(ctx))
		}
	}
	return err
}

func (all modules) intercept() func(context.Context, *httpapi.Call) error {
	var steps []func(context.Context, *httpapi.Call) error
	for _, m := range all {
		if m.intercept != nil {
			steps = append(steps, m.intercept)
		}
	}
	return func(ctx context.Context, c *httpapi.Call) error {
		for _, step := range steps {
			if err := step(ctx, c); err != nil {
				return err
			}
		}
		return nil
	}
}

func (all modules) observe() func(*httpapi.Call) {
	var steps []func(*httpapi.Call)
	for _, m := range all {
		if m.observe != nil {
			steps = append(steps, m.observe)
		}
	}
	return func(c *httpapi.Call) {
		for _, step := range steps {
			step(c)
		}
	}
}

func (all modules) close(ctx context.Context) error {
	var err error
	for _, m := range slices.Backward(all) {
		if m.close != nil {
			err = errors.Join(err, m.close(ctx))
		}
	}
	return err
}

// quietly makes the close of a module from one that has nothing to say.
func quietly(end func()) func(context.Context) error {
	return func(context.Context) error {
		end()
		return nil
	}
}
