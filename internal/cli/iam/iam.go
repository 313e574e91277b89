// Package iam holds the verbs of "kagiban iam": tokens, trusted profiles,
// service IDs, API keys, access and account settings. Each verb is a table or a
// detail view around a few calls of the APIs; it decides nothing.
package iam

import (
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// group is a section of the help text of "kagiban iam".
type group struct {
	title string
	verbs []shell.Verb
}

// Command is "kagiban iam". A further group of verbs is one line here.
func Command(s *shell.Shell) *cobra.Command {
	cmd := shell.Group("iam", "Manage identities: tokens, trusted profiles, service IDs, API keys, settings")
	for _, g := range []group{
		{"Session", slices.Concat(tokenVerbs(), assumeVerbs())},
		{"Trusted profiles", slices.Concat(profileVerbs(), identityVerbs(), linkVerbs(), ruleVerbs())},
		{"Service IDs", slices.Concat(serviceIDVerbs(), serviceKeyVerbs(), serviceGroupVerbs())},
		{"Your API keys", apiKeyVerbs()},
		{"Access", accessVerbs()},
		{"Account settings", settingsVerbs()},
	} {
		cmd.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, v := range g.verbs {
			sub := s.Command(v)
			sub.GroupID = g.title
			cmd.AddCommand(sub)
		}
	}
	return cmd
}

// kind describes a sort of object that verbs look up by name or ID.
type kind[T any] struct {
	noun   string // "service ID"
	prefix string // of ids: "ServiceId-"
	path   string // of the collection: "/v1/serviceids"
	array  string // property of the list: "serviceids"
	key    func(T) (id, name string)
}

// find gets the object with the given ID or name. Query narrows the list that
// names are looked for in.
func (k kind[T]) find(ctx context.Context, s *shell.Session, nameOrID string, query url.Values) (client.Object[T], error) {
	var none client.Object[T]
	if strings.HasPrefix(nameOrID, k.prefix) {
		object, err := client.Get[T](ctx, s.API, k.path+client.Path(nameOrID))
		if client.IsNotFound(err) {
			return none, k.missing(nameOrID)
		}
		return object, err
	}
	list, err := client.List[T](ctx, s.API, k.path, k.array, query)
	if err != nil {
		return none, err
	}
	return k.choose(list, nameOrID)
}

// choose picks the one object of a list that has the given ID or name.
func (k kind[T]) choose(list []client.Object[T], nameOrID string) (client.Object[T], error) {
	var named []client.Object[T]
	var ids []string
	for _, object := range list {
		id, name := k.key(object.Value)
		if id == nameOrID {
			return object, nil
		}
		if name == nameOrID {
			named = append(named, object)
			ids = append(ids, id)
		}
	}
	switch len(named) {
	case 0:
		return client.Object[T]{}, k.missing(nameOrID)
	case 1:
		return named[0], nil
	}
	return client.Object[T]{}, shell.Problemf("Several %ss are named %s. Give the ID of one of them:\n  %s", k.noun, nameOrID, strings.Join(ids, "\n  "))
}

func (k kind[T]) missing(nameOrID string) error {
	noun := strings.ToUpper(k.noun[:1]) + k.noun[1:]
	return shell.Problemf("%s %s was not found.", noun, nameOrID)
}

// filter keeps the objects whose name and description contain given texts, in
// any case.
type filter struct{ name, description string }

func (f *filter) flags(set *pflag.FlagSet) {
	set.StringVarP(&f.name, "name", "n", "", "show only those with this text in their name")
	set.StringVarP(&f.description, "description", "d", "", "show only those with this text in their description")
}

func keep[T any](f filter, list []client.Object[T], texts func(T) (name, description string)) []client.Object[T] {
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

// table prints a list, or that there is nothing to print.
func table[T any](c *shell.Call, noun string, header []string, list []client.Object[T], row func(T) []string) error {
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

// details prints one object that was looked up: as JSON it is an array with
// one element, as in the official command line.
func details[T any](c *shell.Call, object client.Object[T], rows func(T) [][2]string) error {
	return c.Show([]client.Object[T]{object}, func() { c.Details(rows(object.Value)) })
}

// created prints one object that was made or changed, below a sentence; as
// JSON it is the object.
func created[T any](c *shell.Call, object client.Object[T], sentence string, rows func(T) [][2]string) error {
	return c.Show(object, func() {
		c.Say("%s", sentence)
		c.Details(rows(object.Value))
	})
}

// done prints that something happened to an object.
func done(c *shell.Call, format string, args ...any) {
	c.OK()
	if !c.Quiet {
		c.Say(format, args...)
	}
}

// changes collects the properties that flags name, for a PUT.
func changes(c *shell.Call, flags map[string]string) (map[string]any, error) {
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

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// idOnly prints bare ids, one a line.
func idOnly[T any](c *shell.Call, list []client.Object[T], id func(T) string) error {
	if c.WantsJSON() {
		return shell.Usagef("--output cannot be combined with the flag for bare IDs")
	}
	for _, object := range list {
		c.Say("%s", id(object.Value))
	}
	return nil
}
