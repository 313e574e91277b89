// Package object makes the verbs that every sort of API object has: list, show,
// create, change and delete, all in one style. What is special about a sort
// stands in its Kind; a verb that does more lies with the sort.
package object

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// Kind describes a sort of object that verbs look up by name or ID.
type Kind[T any] struct {
	Noun string // "service ID"
	Verb string // stem of the verbs: "service-id"; the list has an s
	// Several is the plural in the progress line of the list, Where that line's
	// "under current account"; both are set only where they are others.
	Several, Where string
	Prefix         string // of ids: "ServiceId-"; "" where ids look like names
	Path           string // of the collection: "/v1/serviceids"
	Array          string // property of the list: "serviceids"
	Pages          client.Pages
	// One is asked for when one object is read by its ID.
	One url.Values
	// Scope narrows the lists; nil means to the session's account.
	Scope func(*shell.Session) url.Values
	// Named narrows a list to a name, where the API can.
	Named func(query url.Values, name string)
	// Owner is set where objects belong to another object.
	Owner *Owner

	Key    func(T) (id, name string)
	About  func(T) string // description, which -d searches; nil where there is none
	Header []string       // of the list
	Row    func(T) []string
	// Rows show one object; Facts, if set, an object that is no news.
	Rows, Facts func(T) [][2]string
}

// Owner is the object to which others belong: the first argument of their verbs
// names it.
type Owner struct {
	Noun string // "trusted profile"
	Use  string // "NAME|ID"
	// Path finds the owner and gives the path of its objects.
	Path func(ctx context.Context, s *shell.Session, nameOrID string) (string, error)
}

// OfAccount is the query for lists of the session's account.
func OfAccount(s *shell.Session) url.Values { return url.Values{"account_id": {s.Account()}} }

// In is the kind with the objects of one owner, which is looked up.
func (k Kind[T]) In(ctx context.Context, s *shell.Session, owner string) (Kind[T], error) {
	var err error
	k.Path, err = k.Owner.Path(ctx, s, owner)
	return k, err
}

func (k Kind[T]) scope(s *shell.Session) url.Values {
	if k.Scope != nil {
		return k.Scope(s)
	}
	if k.Owner != nil {
		return url.Values{}
	}
	return OfAccount(s)
}

// All lists the objects. Query replaces the kind's own scope unless it is nil.
func (k Kind[T]) All(ctx context.Context, s *shell.Session, query url.Values) ([]client.Object[T], error) {
	if query == nil {
		query = k.scope(s)
	}
	return client.List[T](ctx, s.API, k.Pages, k.Path, k.Array, query)
}

// Find gets the object with the given ID or name.
func (k Kind[T]) Find(ctx context.Context, s *shell.Session, nameOrID string) (client.Object[T], error) {
	var none client.Object[T]
	if k.Prefix != "" && strings.HasPrefix(nameOrID, k.Prefix) {
		object, err := k.Get(ctx, s, nameOrID)
		if client.IsNotFound(err) {
			return none, k.missing(nameOrID)
		}
		return object, err
	}
	list, err := k.Like(ctx, s, nameOrID)
	if err != nil {
		return none, err
	}
	return k.Choose(list, nameOrID)
}

// Like lists the objects among which those with a name are: more, where the API
// cannot narrow its list.
func (k Kind[T]) Like(ctx context.Context, s *shell.Session, name string) ([]client.Object[T], error) {
	query := k.scope(s)
	if k.Named != nil {
		k.Named(query, name)
	}
	return k.All(ctx, s, query)
}

// Get reads an object by its ID.
func (k Kind[T]) Get(ctx context.Context, s *shell.Session, id string) (client.Object[T], error) {
	return client.Send[T](ctx, s.API, client.Request{Method: http.MethodGet, Path: k.PathOf(id), Query: k.One})
}

// Choose picks the one object of a list that has the given ID or name.
func (k Kind[T]) Choose(list []client.Object[T], nameOrID string) (client.Object[T], error) {
	var named []client.Object[T]
	var ids []string
	for _, object := range list {
		id, name := k.Key(object.Value)
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
	return client.Object[T]{}, shell.Problemf("Several %ss are named %s. Give the ID of one of them:\n  %s", k.Noun, nameOrID,
		strings.Join(ids, "\n  "))
}

func (k Kind[T]) missing(nameOrID string) error {
	return shell.Problemf("%s %s was not found.", capital(k.Noun), nameOrID)
}

// PathOf is the path of an object, or of what lies beneath it.
func (k Kind[T]) PathOf(id string, more ...string) string {
	return k.Path + client.Path(append([]string{id}, more...)...)
}

// tagged is an object whose entity tag is known: some families do not send it
// in lists.
func (k Kind[T]) tagged(ctx context.Context, s *shell.Session, object client.Object[T]) (client.Object[T], error) {
	if object.Tag != "" {
		return object, nil
	}
	return k.Get(ctx, s, k.id(object.Value))
}

// shown is how sentences name an object.
func (k Kind[T]) shown(v T) string {
	id, name := k.Key(v)
	if name == "" {
		return id
	}
	return name
}

// Print prints a list: a table, or bare ids.
func (k Kind[T]) Print(c *shell.Call, list []client.Object[T], match Filter, bare bool) error {
	list = Keep(match, list, func(v T) (string, string) {
		_, name := k.Key(v)
		if k.About == nil {
			return name, ""
		}
		return name, k.About(v)
	})
	if bare {
		return IDs(c, list, k.id)
	}
	return Table(c, k.Noun+"s", k.Header, list, k.Row)
}

func (k Kind[T]) id(v T) string {
	id, _ := k.Key(v)
	return id
}

// facts are what is shown of an object that was looked up.
func (k Kind[T]) facts(v T) [][2]string {
	if k.Facts != nil {
		return k.Facts(v)
	}
	return k.Rows(v)
}

func capital(noun string) string { return strings.ToUpper(noun[:1]) + noun[1:] }

// A is a noun with its article.
func A(noun string) string {
	if strings.ContainsAny(noun[:1], "aeio") {
		return "an " + noun
	}
	return "a " + noun
}
