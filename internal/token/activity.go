package token

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/store"
)

// aggregator counts authentications in memory and writes them in batches: a
// write per token would bind the rate of tokens to that of the disk.
type aggregator struct {
	db store.DB
	// mu guards pending.
	mu      sync.Mutex
	pending map[activityKey]*activityCount
	// writing is held while a batch is on its way to the store and while a
	// reader adds up stored and pending counts: otherwise a reader could see a
	// batch in both places or in none. The token path never takes it.
	writing sync.RWMutex
}

type activityKey struct{ account, subject string }

type activityCount struct {
	count int64
	last  time.Time
}

func newAggregator(db store.DB) *aggregator {
	return &aggregator{db: db, pending: map[activityKey]*activityCount{}}
}

// add counts one authentication of each subject.
func (a *aggregator) add(now time.Time, account string, subjects ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, subject := range subjects {
		if subject != "" {
			a.merge(activityKey{account, subject}, 1, now)
		}
	}
}

// merge wants mu.
func (a *aggregator) merge(key activityKey, count int64, last time.Time) {
	c := a.pending[key]
	if c == nil {
		c = &activityCount{}
		a.pending[key] = c
	}
	c.count += count
	if last.After(c.last) {
		c.last = last
	}
}

func (a *aggregator) clear() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.pending)
}

// flush writes what was counted. Counts that cannot be written are kept.
func (a *aggregator) flush(ctx context.Context) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	a.mu.Lock()
	taken := a.pending
	if len(taken) == 0 {
		a.mu.Unlock()
		return nil
	}
	a.pending = make(map[activityKey]*activityCount, len(taken))
	a.mu.Unlock()
	batch := make([]store.Activity, 0, len(taken))
	for key, c := range taken {
		batch = append(batch, store.Activity{Account: key.account, Subject: key.subject, Count: c.count, Last: c.last})
	}
	err := a.db.AddActivity(ctx, batch)
	if err == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, c := range taken {
		a.merge(key, c.count, c.last)
	}
	return fmt.Errorf("writing activity: %w", err)
}

// with adds what is not written yet.
func (a *aggregator) with(stored store.Activity) store.Activity {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.pending[activityKey{stored.Account, stored.Subject}]; c != nil {
		stored.Count += c.count
		if c.last.After(stored.Last) {
			stored.Last = c.last
		}
	}
	return stored
}

// activitySubject is the subject under which an identity is counted: the object
// id of a service ID or profile ("ServiceId-…"), the IAM id of a user.
func activitySubject(iamID string) string {
	if objectID, ok := id.OfIAM(iamID); ok {
		return objectID
	}
	return iamID
}

// Activity gives the authentications of an API key, service ID or profile (by
// object id; IAM ids do too) or user (by IAM id) in an account, those included
// that are not written yet. On several nodes those of the others follow when
// they write.
func (s *Service) Activity(ctx context.Context, account, subject string) (store.Activity, error) {
	subject = activitySubject(subject)
	s.activity.writing.RLock()
	defer s.activity.writing.RUnlock()
	stored, err := s.cfg.DB.GetActivity(ctx, account, subject)
	if err != nil {
		return store.Activity{}, fmt.Errorf("reading activity: %w", err)
	}
	stored.Account, stored.Subject = account, subject
	return s.activity.with(stored), nil
}

// ListActivity gives the authentications of all subjects of an account that
// ever had one, in no order.
func (s *Service) ListActivity(ctx context.Context, account string) ([]store.Activity, error) {
	s.activity.writing.RLock()
	defer s.activity.writing.RUnlock()
	list, err := s.cfg.DB.ListActivity(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("listing activity: %w", err)
	}
	known := make(map[string]bool, len(list))
	for i := range list {
		known[list[i].Subject] = true
		list[i] = s.activity.with(list[i])
	}
	s.activity.mu.Lock()
	defer s.activity.mu.Unlock()
	for key, c := range s.activity.pending {
		if key.account == account && !known[key.subject] {
			list = append(list, store.Activity{Account: account, Subject: key.subject, Count: c.count, Last: c.last})
		}
	}
	return list, nil
}
