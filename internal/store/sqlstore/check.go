package sqlstore

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Sizes in bytes. PostgreSQL refuses index rows over 2,704 bytes (a third of a
// page); the widest index holds account, kind, name and id. Domains have
// tighter limits; these only keep both stores equal.
const (
	MaxID          = 512     // accounts, kinds, ids, parents, owners, IAM ids, spaces, tags
	MaxName        = 1 << 10 // names
	MaxDescription = 64 << 10
	MaxKey         = 1536     // values of keys, keys of tokens
	MaxBody        = 16 << 20 // bodies of objects, tokens and events
)

// storable reports whether both stores can hold the text: valid UTF-8 without
// NUL, which PostgreSQL refuses.
func storable(s string) bool {
	return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func anyUnstorable(texts ...string) bool {
	for _, s := range texts {
		if !storable(s) {
			return true
		}
	}
	return false
}

type field struct {
	name, value string
	limit       int
}

func check(fields ...field) error {
	for _, f := range fields {
		if len(f.value) > f.limit {
			return fault.Field(f.name, "The value of '%s' is longer than %d bytes.", f.name, f.limit)
		}
		if !storable(f.value) {
			return fault.Field(f.name, "The value of '%s' holds characters that are not permitted.", f.name)
		}
	}
	return nil
}

func checkRecord(r *store.Record) error {
	err := check(
		field{"account", r.Account, MaxID},
		field{"kind", r.Kind, MaxID},
		field{"id", r.ID, MaxID},
		field{"parent", r.Parent, MaxID},
		field{"owner", r.Owner, MaxID},
		field{"tag", r.Tag, MaxID},
		field{"created_by", r.CreatedBy, MaxID},
		field{"modified_by", r.ModifiedBy, MaxID},
		field{"name", r.Name, MaxName},
		field{"description", r.Description, MaxDescription},
	)
	if err == nil {
		err = checkBody(r.Body)
	}
	if err != nil {
		return err
	}
	for _, k := range r.Keys {
		if err := check(field{"key", k.Space, MaxID}, field{"key", k.Value, MaxKey}); err != nil {
			return err
		}
	}
	return nil
}

func checkEvent(e *store.Event) error {
	return check(
		field{"account", e.Account, MaxID},
		field{"kind", e.Kind, MaxID},
		field{"target", e.Target, MaxID},
		field{"action", e.Action, MaxID},
	)
}

func checkBody(b []byte) error {
	if len(b) > MaxBody {
		return fault.New(fault.TooLarge, "The object is longer than %d bytes.", MaxBody)
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return fault.Field("body", "The object holds characters that are not permitted.")
	}
	return nil
}

func checkToken(t *store.Token) error {
	err := check(
		field{"space", t.Space, MaxID},
		field{"key", t.Key, MaxKey},
		field{"account", t.Account, MaxID},
		field{"owner", t.Owner, MaxID},
	)
	if err != nil {
		return err
	}
	return checkBody(t.Body)
}
