// Package activity counts how often and when something was last used: API keys
// and identities by their tokens, policies by their permits. Counts are kept in
// memory and written in batches, because a write per token or decision would
// bind their rate to that of the disk. It does not own what is counted, nor
// when it is written: its holder calls Flush.
package activity

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/store"
)

// Policies is the prefix of subjects that are policies. Subjects without one
// are API keys and identities.
const Policies = "policy/"

// prefixes are those that a Counter without prefix leaves to others.
var prefixes = []string{Policies}

// shards is how many parts the pending counts lie in, so that many cores do
// not wait for one lock. A power of two.
const shards = 16

// Counter counts the subjects that have one prefix. It is safe for concurrent
// use. What is not written when the process dies is lost: at most the counts
// since the last Flush.
type Counter struct {
	db     store.DB
	prefix string
	seed   maphash.Seed
	parts  [shards]part
	// writing is held while a batch is on its way to the store and while a
	// reader adds up stored and pending counts: otherwise a reader could see a
	// batch in both places or in none. Add never takes it.
	writing sync.RWMutex
}

type part struct {
	mu      sync.Mutex // guards pending
	pending map[key]*count
	_       [40]byte // the parts' locks lie on cache lines of their own
}

// key has the subject without prefix, so that counting joins no strings.
type key struct{ account, subject string }

type count struct {
	n    int64
	last time.Time
}

// New makes a Counter; every subject is stored with the prefix in front.
func New(db store.DB, prefix string) *Counter {
	c := &Counter{db: db, prefix: prefix, seed: maphash.MakeSeed()}
	for i := range c.parts {
		c.parts[i].pending = map[key]*count{}
	}
	return c
}

func (c *Counter) part(subject string) *part {
	return &c.parts[maphash.String(c.seed, subject)%shards]
}

// Add counts one use of each subject at a time; empty subjects are skipped.
func (c *Counter) Add(now time.Time, account string, subjects ...string) {
	for _, subject := range subjects {
		if subject != "" {
			c.merge(key{account, subject}, 1, now)
		}
	}
}

func (c *Counter) merge(k key, n int64, last time.Time) {
	p := c.part(k.subject)
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.pending[k]
	if held == nil {
		held = &count{}
		p.pending[k] = held
	}
	held.n += n
	if last.After(held.last) {
		held.last = last
	}
}

// Forget drops what is not written, for when the store was emptied.
func (c *Counter) Forget() {
	for i := range c.parts {
		c.parts[i].mu.Lock()
		clear(c.parts[i].pending)
		c.parts[i].mu.Unlock()
	}
}

// Flush writes what was counted, in one transaction. Counts that cannot be
// written are kept for the next time.
func (c *Counter) Flush(ctx context.Context) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	var batch []store.Activity
	for i := range c.parts {
		batch = c.take(batch, &c.parts[i])
	}
	if len(batch) == 0 {
		return nil
	}
	err := c.db.AddActivity(ctx, batch)
	if err == nil {
		return nil
	}
	for _, a := range batch {
		c.merge(key{a.Account, strings.TrimPrefix(a.Subject, c.prefix)}, a.Count, a.Last)
	}
	return fmt.Errorf("writing activity: %w", err)
}

func (c *Counter) take(to []store.Activity, p *part) []store.Activity {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, held := range p.pending {
		to = append(to, store.Activity{Account: k.account, Subject: c.prefix + k.subject, Count: held.n, Last: held.last})
	}
	if len(p.pending) > 0 {
		p.pending = make(map[key]*count, len(p.pending))
	}
	return to
}

// Get gives the uses of a subject, those included that are not written yet. On
// several nodes those of the others follow when they write.
func (c *Counter) Get(ctx context.Context, account, subject string) (store.Activity, error) {
	c.writing.RLock()
	defer c.writing.RUnlock()
	stored, err := c.db.GetActivity(ctx, account, c.prefix+subject)
	if err != nil {
		return store.Activity{}, fmt.Errorf("reading activity: %w", err)
	}
	stored.Account, stored.Subject = account, subject
	return c.with(stored), nil
}

// List gives the uses of all subjects of an account that ever had one, in no order.
func (c *Counter) List(ctx context.Context, account string) ([]store.Activity, error) {
	c.writing.RLock()
	defer c.writing.RUnlock()
	stored, err := c.db.ListActivity(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("listing activity: %w", err)
	}
	var list []store.Activity
	known := make(map[string]bool, len(stored))
	for _, a := range stored {
		subject, mine := c.mine(a.Subject)
		if !mine {
			continue
		}
		a.Subject = subject
		known[subject] = true
		list = append(list, c.with(a))
	}
	for i := range c.parts {
		p := &c.parts[i]
		p.mu.Lock()
		for k, held := range p.pending {
			if k.account == account && !known[k.subject] {
				list = append(list, store.Activity{Account: account, Subject: k.subject, Count: held.n, Last: held.last})
			}
		}
		p.mu.Unlock()
	}
	return list, nil
}

// mine gives a stored subject without prefix, and whether it is this Counter's.
func (c *Counter) mine(stored string) (subject string, ok bool) {
	if c.prefix != "" {
		return strings.CutPrefix(stored, c.prefix)
	}
	for _, p := range prefixes {
		if strings.HasPrefix(stored, p) {
			return "", false
		}
	}
	return stored, true
}

// with adds what is not written yet.
func (c *Counter) with(stored store.Activity) store.Activity {
	p := c.part(stored.Subject)
	p.mu.Lock()
	defer p.mu.Unlock()
	if held := p.pending[key{stored.Account, stored.Subject}]; held != nil {
		stored.Count += held.n
		if held.last.After(stored.Last) {
			stored.Last = held.last
		}
	}
	return stored
}
