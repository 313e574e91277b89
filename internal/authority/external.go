package authority

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
)

// ExternalUse is how often an identity with a token of another account used
// what it may do here, while the account's setting for such identities was to
// monitor or to limit them. Its events are the audit trail of that setting.
type ExternalUse struct {
	store.Meta
	IAMID    string `json:"iam_id"`
	Type     string `json:"identity_type"` // user, service_id or service
	From     string `json:"account_id"`    // account of the token
	Enforced bool   `json:"is_enforced"`   // limited, not only monitored
	Decision string `json:"decision"`      // Permit or Deny: what the setting says to it
	Count    int64  `json:"count"`
	// Action, Service and Last are those of the last use.
	Action  string    `json:"action"`
	Service string    `json:"service_name"`
	Last    time.Time `json:"last"`
}

// ExternalUses are written by Authority.Flush.
var ExternalUses = store.NewCollection[ExternalUse]("external-use", nil)

const (
	// externalEvery spaces the events about one identity: the first comes with
	// the next Flush, the others tell of all uses since the one before.
	externalEvery = 10 * time.Minute
	// maxExternal bounds what is remembered; further identities are left out
	// until there is room.
	maxExternal = 1024
)

// externalKey is one answer that the setting of an account gave to an identity.
type externalKey struct {
	account, iamID, from string
	kind                 policy.SubjectKind
	outcome              policy.ExternalOutcome
}

// externalPending is what is not written yet.
type externalPending struct {
	count           int64
	action, service string
	last, written   time.Time
}

// externalLog collects the answers, so that a decision costs no write.
type externalLog struct {
	db store.DB
	mu sync.Mutex // guards pending
	// pending holds what was used in the last externalEvery too, at count 0.
	pending map[externalKey]*externalPending
}

func newExternalLog(db store.DB) *externalLog {
	return &externalLog{db: db, pending: map[externalKey]*externalPending{}}
}

// add notes the answer to one request.
func (l *externalLog) add(account string, r *policy.Request, outcome policy.ExternalOutcome) {
	sub := &r.Subject
	k := externalKey{account, sub.IAMID, sub.Account, sub.Kind, outcome}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.pending[k]
	if p == nil {
		if len(l.pending) >= maxExternal {
			return
		}
		p = &externalPending{}
		l.pending[k] = p
	}
	p.count++
	p.action, p.service, p.last = r.Action, r.Resource.ServiceName, r.Environment.Now
}

func (l *externalLog) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.pending)
}

// due takes what is to be written and drops what was not used for long.
func (l *externalLog) due() map[externalKey]externalPending {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[externalKey]externalPending{}
	newest := time.Time{}
	for _, p := range l.pending {
		if p.last.After(newest) {
			newest = p.last
		}
	}
	for k, p := range l.pending {
		switch {
		case p.count > 0 && (p.written.IsZero() || p.last.Sub(p.written).Abs() >= externalEvery):
			out[k] = *p
			p.count, p.written = 0, p.last
		case p.count == 0 && newest.Sub(p.last) >= externalEvery:
			delete(l.pending, k)
		}
	}
	return out
}

// back returns what could not be written.
func (l *externalLog) back(batch map[externalKey]externalPending) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, old := range batch {
		p := l.pending[k]
		if p == nil {
			p = &old
			l.pending[k] = p
			continue
		}
		p.count += old.count
		p.written = old.written
	}
}

// flush writes what is due, in one transaction.
func (l *externalLog) flush(ctx context.Context) error {
	batch := l.due()
	if len(batch) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(batch), func(a, b externalKey) int { return strings.Compare(a.id(), b.id()) })
	err := l.db.Update(ctx, func(tx store.Tx) error {
		for _, k := range keys {
			if err := k.write(ctx, tx, batch[k]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		l.back(batch)
		return fmt.Errorf("writing the uses of identities of other accounts: %w", err)
	}
	return nil
}

// id is the same for the same identity and answer on every node.
func (k externalKey) id() string {
	sum := sha256.Sum256([]byte(k.account + "\x00" + k.iamID + "\x00" + k.from + "\x00" + k.decision() + "\x00" + fmt.Sprint(k.enforced())))
	return "externalUse-" + hex.EncodeToString(sum[:16])
}

func (k externalKey) enforced() bool {
	return k.outcome == policy.ExternalPermit || k.outcome == policy.ExternalDeny
}

func (k externalKey) decision() string {
	if k.outcome == policy.ExternalPermit || k.outcome == policy.ExternalMonitorPermit {
		return "Permit"
	}
	return "Deny"
}

func (k externalKey) identityType() string {
	switch k.kind {
	case policy.KindServiceID:
		return "service_id"
	case policy.KindService:
		return "service"
	default: // the setting has no word of its own for profiles
		return "user"
	}
}

func (k externalKey) write(ctx context.Context, tx store.Tx, p externalPending) error {
	use, err := ExternalUses.Get(ctx, tx, k.account, k.id())
	exists := err == nil
	if errors.Is(err, fault.NotFound) {
		use, err = &ExternalUse{Meta: store.Meta{Account: k.account, ID: k.id()}, IAMID: k.iamID, Type: k.identityType(), From: k.from,
			Enforced: k.enforced(), Decision: k.decision()}, nil
	}
	if err != nil {
		return err
	}
	use.Count += p.count
	use.Action, use.Service, use.Last = p.action, p.service, p.last
	data, err := json.Marshal(map[string]any{"isEnforced": use.Enforced, "decision": use.Decision, "identityType": use.Type,
		"accountId": use.From, "action": use.Action, "serviceName": use.Service, "count": p.count})
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	ev := store.Event{Action: "iam-access-management.account-settings.eval", Name: "external_account_identity_interaction", Data: data,
		Message: "IAM Access Management: evaluate external identity interaction of account " + k.account}
	ctx = store.WithOrigin(ctx, store.Origin{IAMID: k.iamID, Account: k.from, Credential: "token"})
	if exists {
		return ExternalUses.Update(ctx, tx, use, ev)
	}
	return ExternalUses.Create(ctx, tx, use, ev)
}
