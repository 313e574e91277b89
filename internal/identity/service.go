package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/limit"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
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
	// Departed takes what a service ID or profile that is deleted leaves in other
	// packages out of its account, in the same transaction; nil: nothing.
	Departed func(ctx context.Context, tx store.Tx, accountID, iamID string) error
	Limits   Limits
}

// ActivityReader tells how often and when a subject was authenticated last.
// Subjects are the ids of API keys, service IDs and profiles. A subject that
// never was has the zero count and time. The token service is one.
type ActivityReader interface {
	Activity(ctx context.Context, account, subject string) (store.Activity, error)
}

// Service owns the identities of all accounts. It is safe for concurrent use.
// Where it takes an Asker it asks itself whether that one may; else its callers
// have asked already, about the object that they give.
type Service struct {
	db       store.DB
	now      func() time.Time
	ids      id.Generator
	random   io.Reader
	hasher   *secret.Hasher
	sealer   *secret.Sealer
	pages    *lists.Sealer
	activity ActivityReader
	departed func(ctx context.Context, tx store.Tx, accountID, iamID string) error
	limits   Limits
}

// New makes the service.
func New(c Config) *Service {
	limit.Fill(c.Limits.Rows())
	s := &Service{db: c.DB, now: c.Now, ids: c.IDs, random: c.Random, hasher: c.Hasher, sealer: c.Sealer, pages: c.Pages,
		activity: c.Activity, departed: c.Departed, limits: c.Limits}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.activity == nil {
		s.activity = storedActivity{c.DB}
	}
	if s.departed == nil {
		s.departed = func(context.Context, store.Tx, string, string) error { return nil }
	}
	return s
}

// Limits gives the limits that are in force.
func (s *Service) Limits() Limits { return s.limits }

type storedActivity struct{ db store.DB }

func (s storedActivity) Activity(ctx context.Context, account, subject string) (store.Activity, error) {
	return s.db.GetActivity(ctx, account, subject)
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

// findIn reads an object of an account, "" where the id alone names it, and
// words its absence for the client.
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

// find reads one object by its id, whatever its account.
func find[T any](ctx context.Context, s *Service, c *store.Collection[T], what, objectID string) (*T, error) {
	return findIn(ctx, s.db.Direct(), c, what, "", objectID)
}

// HistoryLimit is the number of newest history records that are shown.
const HistoryLimit = 100

// History gives the events of an object of a kind (Collection.Kind), oldest first.
func (s *Service) History(ctx context.Context, kind string, m *store.Meta) ([]store.Event, error) {
	return s.db.Direct().History(ctx, m.Account, kind, m.ID, HistoryLimit)
}

// Activity tells how often and when an identity was authenticated last, to
// those who may see it; others get nil. on is the identity's resource.
func (s *Service) Activity(ctx context.Context, who asker.Asker, m *store.Meta, on policy.Resource) (*store.Activity, error) {
	if yes, err := who.May(ctx, "iam-identity.activity.get", on); err != nil || !yes {
		return nil, err
	}
	a, err := s.activity.Activity(ctx, m.Account, m.ID)
	return &a, err
}
