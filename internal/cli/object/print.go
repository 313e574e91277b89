package object

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// Filter keeps the objects whose name and description contain given texts, in
// any case.
type Filter struct{ name, description string }

// Flags defines -n and, where objects have descriptions, -d.
func (f *Filter) Flags(set *pflag.FlagSet, described bool) {
	set.StringVarP(&f.name, "name", "n", "", "show only those with this text in their name")
	if !described {
		return
	}
	set.StringVarP(&f.description, "description", "d", "", "show only those with this text in their description")
}

// FilterOf reads what Flags defined, for a verb that does not hold the Filter.
func FilterOf(c *shell.Call) Filter {
	text := func(flag string) string {
		value, err := c.Flags.GetString(flag)
		if err != nil {
			return "" // no such flag: nothing was asked for
		}
		return value
	}
	return Filter{text("name"), text("description")}
}

// Keep gives the objects of a list that f lets through; never nil.
func Keep[T any](f Filter, list []client.Object[T], texts func(T) (name, description string)) []client.Object[T] {
	kept := []client.Object[T]{}
	for _, object := range list {
		name, description := texts(object.Value)
		if contains(name, f.name) && contains(description, f.description) {
			kept = append(kept, object)
		}
	}
	return kept
}

func contains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// Table prints a list, or that there is nothing to print.
func Table[T any](c *shell.Call, noun string, header []string, list []client.Object[T], row func(T) []string) error {
	return c.Show(list, func() {
		if len(list) == 0 {
			c.Say("No %s found.", noun)
			return
		}
		rows := make([][]string, len(list))
		for i, object := range list {
			rows[i] = row(object.Value)
		}
		c.Table(header, rows)
	})
}

// Details prints one object that was looked up: as JSON it is an array with
// one element, as in the official command line.
func Details[T any](c *shell.Call, object client.Object[T], rows func(T) [][2]string) error {
	return c.Show([]client.Object[T]{object}, func() { c.Details(rows(object.Value)) })
}

// Created prints one object that was made or changed, below a sentence; as
// JSON it is the object.
func Created[T any](c *shell.Call, object client.Object[T], sentence string, rows func(T) [][2]string) error {
	return c.Show(object, func() {
		c.Say("%s", sentence)
		c.Details(rows(object.Value))
	})
}

// IDs prints bare ids, one a line.
func IDs[T any](c *shell.Call, list []client.Object[T], id func(T) string) error {
	if c.WantsJSON() {
		return shell.Usagef("--output cannot be combined with the flag for bare IDs")
	}
	for _, object := range list {
		c.Say("%s", id(object.Value))
	}
	return nil
}

// IDFlag defines --id and its older name --uuid.
func IDFlag(f *pflag.FlagSet, bare *bool) {
	f.BoolVar(bare, "id", false, "print bare IDs")
	f.BoolVar(bare, "uuid", false, "print bare IDs")
}

// Progress announces, unless only bare ids will be printed.
func Progress(c *shell.Call, bare bool, format string, args ...any) {
	if !bare {
		c.Progress(format, args...)
	}
}

// Changes collects the properties that flags name, for a change. Flags gives
// the property of each flag, which holds a text.
func Changes(c *shell.Call, flags map[string]string) (map[string]any, error) {
	body := map[string]any{}
	var names []string
	for _, flag := range slices.Sorted(maps.Keys(flags)) {
		names = append(names, "--"+flag)
		if c.Given(flag) {
			value, err := c.Flags.GetString(flag)
			if err != nil {
				return nil, err
			}
			body[flags[flag]] = value
		}
	}
	if len(body) == 0 {
		return nil, shell.Usagef("nothing to change: give %s", strings.Join(names, " or "))
	}
	return body, nil
}

// Complete adds to a body what the object had and the body does not say, for an
// API that replaces objects whole.
func Complete(body, old map[string]any) {
	for property, value := range old {
		if _, given := body[property]; !given {
			body[property] = value
		}
	}
}
