package identity

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
)

// Scopes and types of the list of API keys.
const (
	ScopeEntity  = "entity"
	ScopeAccount = "account"
	TypeUser     = "user"
	TypeService  = "serviceid"
)

var keyList = listKind{
	name: "apikeys",
	sorts: map[string]store.Order{"name": store.ByName, "description": store.ByDescription, "created_at": store.ByCreated,
		"created_by": store.ByCreator},
	attributes: []string{"id", "name", "description", "created_at", "created_by", "modified_at", "iam_id",
		"locked", "disabled", "action_when_leaked", "expires_at"},
}

func (s *Service) openKeys(q ListQuery) (*Listing[APIKey], error) {
	l, err := open[APIKey](s, keyList, q)
	if err != nil {
		return nil, err
	}
	if l.query.Scope != "" {
		if err := oneOf("scope", l.query.Scope, ScopeEntity, ScopeAccount); err != nil {
			return nil, err
		}
	}
	if l.query.Type != "" {
		if err := oneOf("type", l.query.Type, TypeUser, TypeService); err != nil {
			return nil, err
		}
	}
	return l, text("iam_id", l.query.IAMID, maxIAMID)
}

// ListAPIKeys lists API keys of an account, "" being that of who asks: of one
// identity when IAMID is given, in either spelling; of the whole account when
// Scope says so; else of who asks. Keys of service IDs are those of the service
// IDs of Group, "" being the default group, unless one identity is asked for.
// Everybody sees one's own keys, those who hold the action on a service ID its
// keys, and those who hold another one on the account all. Errors:
// fault.Invalid, also for the keys of other users; fault.NotFound;
// fault.Forbidden.
func (s *Service) ListAPIKeys(ctx context.Context, who asker.Asker, q ListQuery) (*Page[APIKey], error) {
	if q.Account == "" && q.PageToken == "" {
		q.Account = who.Subject().Account
	}
	l, err := s.openKeys(q)
	if err != nil {
		return nil, err
	}
	if err := s.mayListKeys(ctx, who, &l.query); err != nil {
		return nil, err
	}
	q = l.query
	base := store.Query{Owner: q.IAMID}
	if object, service := ServiceIDOf(q.IAMID); service {
		base.Owner = id.IAMOf(object)
	}
	if base.Owner != "" && q.Type == "" && q.Group == "" && l.filter == nil {
		return read(ctx, s, l, APIKeys, base, nil)
	}
	return read(ctx, s, l, APIKeys, base, func(k *APIKey) bool {
		if q.Type != "" && k.IsUser() != (q.Type == TypeUser) {
			return false
		}
		if !k.IsUser() && k.GroupID != q.Group && (q.Group != "" || base.Owner == "") {
			return false
		}
		return l.filter.Match(k.attribute)
	})
}

func (k *APIKey) attribute(name string) string {
	switch name {
	case "iam_id":
		return k.IAMID
	case "locked":
		return strconv.FormatBool(k.Locked)
	case "disabled":
		return strconv.FormatBool(k.Disabled)
	case "action_when_leaked":
		return k.ActionWhenLeaked
	case "expires_at":
		return k.ExpiresAtText
	}
	return attribute(&k.Meta, name)
}

// retention is how long an expired key is kept that nobody changes (SDK text
// of create_api_key).
const retention = 90 * 24 * time.Hour

// DeleteExpired deletes API keys whose expiry and last change are both more
// than 90 days past, locked ones too, and tells how many. It reads every key
// of the installation: run it once a day.
func (s *Service) DeleteExpired(ctx context.Context) (deleted int, err error) {
	limit := s.now().Add(-retention)
	all := lists.Stored[APIKey]{Of: APIKeys, From: s.db.Direct(), Query: store.Query{Order: store.ByID}}
	err = lists.Each(ctx, all, func(k *APIKey) error {
		if k.ExpiresAt.IsZero() || !k.ExpiresAt.Before(limit) || !k.ModifiedAt.Before(limit) {
			return nil
		}
		err := APIKeys.Remove(ctx, s.db, k, func(store.Tx) (store.Event, error) { return k.object().deleted(&k.Meta), nil })
		if errors.Is(err, store.ErrMoved) {
			return nil // somebody changed or deleted it meanwhile
		}
		if err == nil {
			deleted++
		}
		return err
	})
	return deleted, err
}

// Jobs gives the lasting work of this package: the deletion of API keys that
// expired long ago, once a day.
func (s *Service) Jobs() []job.Kind {
	return []job.Kind{{Name: "expired-api-keys", Every: 24 * time.Hour, Run: func(ctx context.Context, _ *job.Run) error {
		_, err := s.DeleteExpired(ctx)
		return err
	}}}
}
