package object

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// target is what a verb is about: the kind with the path of the owner that the
// arguments name, and the argument behind it.
type target[T any] struct {
	Kind[T]
	what string // name or ID; "" for lists
	of   string // " of trusted profile backup", or ""
	tail string // "under current account"
}

// aim reads a verb's arguments; it calls nothing.
func (k Kind[T]) aim(c *shell.Call) target[T] {
	t := target[T]{Kind: k, tail: "under current account"}
	if k.Where != "" {
		t.tail = k.Where
	}
	args := c.Args
	if k.Owner != nil {
		t.of = " of " + k.Owner.Noun + " " + args[0]
		args = args[1:]
	}
	if len(args) > 0 {
		t.what = args[0]
	}
	return t
}

// locate finds the owner, if there is one.
func (t *target[T]) locate(ctx context.Context, c *shell.Call, s *shell.Session) error {
	if t.Owner == nil {
		return nil
	}
	var err error
	t.Kind, err = t.In(ctx, s, c.Args[0])
	return err
}

// verb fills in what the verbs of a kind share. Args is how many arguments
// follow that of the owner.
func (k Kind[T]) verb(v shell.Verb, suffix, use, short string, args int) shell.Verb {
	v.Use = k.Verb + suffix
	if k.Owner != nil {
		v.Use += " " + k.Owner.Use
		args++
		short += " of " + A(k.Owner.Noun)
	}
	if use != "" {
		v.Use += " " + use
	}
	if v.Short == "" {
		v.Short = short
	}
	v.Args = cobra.ExactArgs(args)
	return v
}

// use is how help texts name the argument that names an object.
func (k Kind[T]) use() string {
	if k.Owner != nil {
		noun := strings.ToUpper(strings.ReplaceAll(k.Noun, " ", "_"))
		return noun + "_NAME|" + noun + "_ID"
	}
	return "NAME|ID"
}

// List makes the verb that lists. V brings what is special, if only its flags;
// narrow changes what the server is asked for, nil leaves it.
func (k Kind[T]) List(v shell.Verb, narrow func(context.Context, *shell.Call, *shell.Session, url.Values) error) shell.Verb {
	var match Filter
	var bare bool
	flags := v.Flags
	v = k.verb(v, "s", "", "List "+k.Noun+"s", 0)
	if k.Owner != nil {
		v.Short = "List the " + k.Noun + "s of " + A(k.Owner.Noun)
	}
	v.Output = true
	v.Flags = func(f *pflag.FlagSet) {
		IDFlag(f, &bare)
		if flags != nil {
			flags(f)
		}
		match.Flags(f, k.About != nil)
	}
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		t := k.aim(c)
		several, all := k.Several, "all "
		if several == "" {
			several = k.Noun + "s"
		}
		if k.Owner != nil {
			all = ""
		}
		Progress(c, bare, "Getting %s%s%s %s as %s", all, several, t.of, t.tail, s.User())
		if err := t.locate(ctx, c, s); err != nil {
			return err
		}
		query := t.scope(s)
		if narrow != nil {
			if err := narrow(ctx, c, s, query); err != nil {
				return err
			}
		}
		list, err := t.All(ctx, s, query)
		if err != nil {
			return err
		}
		return k.Print(c, list, match, bare)
	}
	return v
}

// Show makes the verb that shows one.
func (k Kind[T]) Show() shell.Verb {
	var bare bool
	v := k.verb(shell.Verb{}, "", k.use(), "Show "+A(k.Noun), 1)
	v.Output = true
	v.Flags = func(f *pflag.FlagSet) { IDFlag(f, &bare) }
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		t := k.aim(c)
		Progress(c, bare, "Getting %s %s%s %s as %s", k.Noun, t.what, t.of, t.tail, s.User())
		if err := t.locate(ctx, c, s); err != nil {
			return err
		}
		found, err := t.Find(ctx, s, t.what)
		if err != nil {
			return err
		}
		if bare {
			return IDs(c, []client.Object[T]{found}, k.id)
		}
		return Details(c, found, k.facts)
	}
	return v
}

// Create makes the verb that creates one with the name that is its argument. V
// brings flags and examples; request gives what is sent but for method and path.
func (k Kind[T]) Create(v shell.Verb, request func(ctx context.Context, c *shell.Call, s *shell.Session, name string) (client.Request,
	error)) shell.Verb {
	v = k.verb(v, "-create", "NAME", "Create "+A(k.Noun), 1)
	v.Output = true
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		t := k.aim(c)
		r, err := request(ctx, c, s, t.what)
		if err != nil {
			return err
		}
		c.Progress("Creating %s %s%s %s as %s", k.Noun, t.what, t.of, t.tail, s.User())
		if err := t.locate(ctx, c, s); err != nil {
			return err
		}
		r.Method, r.Path = http.MethodPost, t.Path
		made, err := client.Send[T](ctx, s.API, r)
		if err != nil {
			return err
		}
		return Created(c, made, capital(k.Noun)+" "+t.what+" is created successfully", k.Rows)
	}
	return v
}

// Update makes the verb that changes one. V brings the flags and change gives
// what they say; complete, unless nil, adds what the API demands besides.
func (k Kind[T]) Update(v shell.Verb, method string, change func(*shell.Call) (map[string]any, error),
	complete func(old T, body map[string]any)) shell.Verb {
	v = k.verb(v, "-update", k.use(), "Change "+A(k.Noun), 1)
	v.Output, v.Force = true, true
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		body, err := change(c)
		if err != nil {
			return err
		}
		t := k.aim(c)
		c.Progress("Updating %s %s%s %s as %s", k.Noun, t.what, t.of, t.tail, s.User())
		if err := t.locate(ctx, c, s); err != nil {
			return err
		}
		old, err := t.Find(ctx, s, t.what)
		if err == nil {
			old, err = t.tagged(ctx, s, old)
		}
		if err != nil {
			return err
		}
		if complete != nil {
			complete(old.Value, body)
		}
		changed, err := client.Send[T](ctx, s.API, client.Request{Method: method, Path: t.PathOf(k.id(old.Value)),
			Header: client.IfMatch(old.Tag), Body: body})
		if err != nil {
			return err
		}
		return Created(c, changed, capital(k.Noun)+" "+k.shown(changed.Value)+" is updated successfully", k.Rows)
	}
	return v
}

// Renaming are the flags and their reading of an Update that changes texts:
// flags by property, each with its help.
func Renaming(more ...[2]string) (func(*pflag.FlagSet), func(*shell.Call) (map[string]any, error)) {
	properties := map[string]string{"name": "name", "description": "description"}
	for _, m := range more {
		properties[m[0]] = m[0]
	}
	flags := func(f *pflag.FlagSet) {
		f.StringP("name", "n", "", "new name")
		f.StringP("description", "d", "", "new description")
		for _, m := range more {
			f.StringP(m[0], m[0][:1], "", m[1])
		}
	}
	return flags, func(c *shell.Call) (map[string]any, error) { return Changes(c, properties) }
}

// Delete makes the verb that deletes one. Also says what goes with it; query,
// unless nil, is sent along.
func (k Kind[T]) Delete(v shell.Verb, also string, query func() url.Values) shell.Verb {
	v = k.verb(v, "-delete", k.use(), "Delete "+A(k.Noun)+also, 1)
	v.Force = true
	v.Do = func(ctx context.Context, c *shell.Call, s *shell.Session) error {
		t := k.aim(c)
		if err := t.locate(ctx, c, s); err != nil {
			return err
		}
		found, err := t.Find(ctx, s, t.what)
		if err != nil {
			return err
		}
		id, shown := k.id(found.Value), k.shown(found.Value)
		if err := c.Confirm("Really delete %s %s (%s)%s%s?", k.Noun, shown, id, t.of, also); err != nil {
			return err
		}
		c.Progress("Deleting %s %s%s %s as %s", k.Noun, t.what, t.of, t.tail, s.User())
		r := client.Request{Method: http.MethodDelete, Path: t.PathOf(id)}
		if query != nil {
			r.Query = query()
		}
		if err := s.API.Call(ctx, r, nil); err != nil {
			return err
		}
		c.Done("%s %s is deleted successfully", capital(k.Noun), shown)
		return nil
	}
	return v
}
