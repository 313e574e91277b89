package identity

import (
	"context"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/id"
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
	name:  "apikeys",
	sorts: map[string]store.Order{"name": store.ByName, "description": store.ByDescription, "created_at": store.ByCreated, "created_by": store.ByCreator},
	attributes: []string{"id", "name", "description", "created_at", "created_by", "modified_at", "iam_id",
		"locked", "disabled", "action_when_leaked", "expires_at"},
}

// KeyQuery checks the query of a list of API keys and completes it from its
// page token, so that its caller knows what to authorize.
func (s *Service) KeyQuery(q ListQuery) (ListQuery, error) {
	l, err := s.openKeys(q)
	if err != nil {
		return q, err
	}
	return l.query, nil
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

// ListAPIKeys lists the keys of an account: of one identity when IAMID is
// given, in either spelling, else all of them. Keys of service IDs are those
// of the service IDs of Group, "" being the default group, unless one identity
// is asked for.
func (s *Service) ListAPIKeys(ctx context.Context, q ListQuery) (*Page[APIKey], error) {
	l, err := s.openKeys(q)
	if err != nil {
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
	q := store.Query{Order: store.ByID, Limit: scan}
	limit := s.Now().Add(-retention)
	for {
		var batch []*APIKey
		err := s.DB.View(ctx, func(r store.Reader) (err error) {
			batch, err = APIKeys.List(ctx, r, q)
			return err
		})
		if err != nil {
			return deleted, err
		}
		for _, k := range batch {
			if k.ExpiresAt.IsZero() || !k.ExpiresAt.Before(limit) || !k.ModifiedAt.Before(limit) {
				continue
			}
			done := false
			err := s.DB.Update(ctx, func(tx store.Tx) error {
				done = false
				now, err := findIn(ctx, tx, APIKeys, whatAPIKey, k.Account, k.ID)
				if err != nil || now.Version != k.Version {
					return nil // somebody changed or deleted it meanwhile
				}
				done = true
				return APIKeys.Delete(ctx, tx, now, now.object().deleted(&now.Meta))
			})
			if err != nil {
				return deleted, err
			}
			if done {
				deleted++
			}
		}
		if len(batch) < scan {
			return deleted, nil
		}
		at := cursor(&batch[len(batch)-1].Meta, store.ByID)
		q.After = &at
	}
}
