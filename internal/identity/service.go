package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// Config is what a Service needs. DB, Hasher, Sealer and Pages are required.
type Config struct {
	DB  store.DB
	Now func() time.Time // nil: time.Now
	IDs id.Generator     // the zero value draws from crypto/rand
	// Random is where API key values come from; nil: crypto/rand.
	Random io.Reader
	Hasher *secret.Hasher // of secret.PurposeAPIKey
	Sealer *secret.Sealer
	Pages  *lists.Sealer
	// Activity tells when identities were last used; nil reads the counters
	// of the store, which lag behind by one flush of the token service.
	Activity ActivityReader
	// GroupRules counts the dynamic rules of an access group, for the report
	// of limits; nil counts none.
	GroupRules func(ctx context.Context, accountID, groupID string) (int, error)
	// Departed takes what a service ID or profile that is deleted leaves in other
	// packages out of its account, in the same transaction; nil: nothing.
	Departed func(ctx context.Context, tx store.Tx, accountID, iamID string) error
	// Limits replaces DefaultLimits when it is not the zero value.
	Limits Limits
}

// ActivityReader tells how often and when a subject was authenticated last.
// Subjects are the ids of API keys, service IDs and profiles. A subject that
// never was has the zero count and time. The token service is one.
type ActivityReader interface {
	Activity(ctx context.Context, account, subject string) (store.Activity, error)
}

// Service owns the identities of all accounts. It is safe for concurrent use.
// It decides no access: its callers have asked already.
type Service struct {
	Config
}

// New makes the service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Activity == nil {
		c.Activity = storedActivity{c.DB}
	}
	if c.Limits == (Limits{}) {
		c.Limits = DefaultLimits
	}
	return &Service{c}
}

type storedActivity struct{ db store.DB }

func (s storedActivity) Activity(ctx context.Context, account, subject string) (store.Activity, error) {
	return s.db.GetActivity(ctx, account, subject)
}

// departed tells others of an identity that is deleted.
func (s *Service) departed(ctx context.Context, tx store.Tx, m *store.Meta) error {
	if s.Departed == nil {
		return nil
	}
	return s.Departed(ctx, tx, m.Account, m.Owner)
}

// Names of the kinds of object in messages for clients.
const (
	whatAPIKey    = "ApiKey"
	whatServiceID = "ServiceId"
	whatGroup     = "ServiceIdGroup"
	whatProfile   = "Profile"
	whatRule      = "ClaimRule"
	whatLink      = "Link"
	whatAccount   = "Account"
)

// find reads an object by its id alone and words its absence for the client.
func find[T any](ctx context.Context, r store.Reader, c *store.Collection[T], what, objectID string) (*T, error) {
	return findIn(ctx, r, c, what, "", objectID)
}

// findIn reads an object of an account.
func findIn[T any](ctx context.Context, r store.Reader, c *store.Collection[T], what, accountID, objectID string) (*T, error) {
	if objectID == "" || len(objectID) > maxID {
		return nil, fault.NoObject(what, clip(objectID))
	}
	obj, err := c.Get(ctx, r, accountID, objectID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject(what, objectID)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", c.Kind(), err)
	}
	return obj, nil
}

// view reads one object by its id in a transaction of its own.
func view[T any](ctx context.Context, s *Service, c *store.Collection[T], what, objectID string) (obj *T, err error) {
	err = s.DB.View(ctx, func(r store.Reader) error {
		obj, err = find(ctx, r, c, what, objectID)
		return err
	})
	return obj, err
}

// HistoryLimit is the number of newest history records that are shown.
const HistoryLimit = 100

// History gives the events of an object of a kind (Collection.Kind), oldest first.
func (s *Service) History(ctx context.Context, kind string, m *store.Meta) (events []store.Event, err error) {
	err = s.DB.View(ctx, func(r store.Reader) error {
		events, err = r.History(ctx, m.Account, kind, m.ID, HistoryLimit)
		return err
	})
	return events, err
}
