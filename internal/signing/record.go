package signing

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// State is the place of a key in its ring's life.
type State string

// The states, in the order in which a key passes them.
const (
	StateNext    State = "next"    // published, does not sign yet
	StateCurrent State = "current" // signs
	StateRetired State = "retired" // published until its last token has expired
	// StateRemoved: taken out before its time. The record only reserves the kid, so
	// that a key made in the same minute does not get it while verifiers may still
	// hold the removed key under it.
	StateRemoved State = "removed"
)

// Record is the durable form of one key of a ring.
type Record struct {
	KeyID     string    `json:"kid"`
	Algorithm Algorithm `json:"alg"`
	State     State     `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	// NotBefore is when the key may begin to sign by age; Rotate and Remove may
	// make it begin earlier.
	NotBefore   time.Time `json:"not_before"`
	ActivatedAt time.Time `json:"activated_at,omitzero"`
	RetiredAt   time.Time `json:"retired_at,omitzero"`
	// VerifyUntil is when the record of a retired or removed key is dropped.
	VerifyUntil time.Time `json:"verify_until,omitzero"`
	// TokenLifeSeconds is the longest token life that was allowed while the key
	// signed; a shorter setting later must not cut tokens off.
	TokenLifeSeconds int64 `json:"token_life_seconds"`
	// Sealed is the private key (PKCS #8), and of a retired key, which needs it no
	// more, only the public one (PKIX). The public key is sealed for its
	// authenticity: whoever could write one into the store could forge tokens.
	// Removed keys have none.
	Sealed []byte `json:"sealed,omitempty"`
}

func cloneRecords(records []Record) []Record {
	out := slices.Clone(records)
	for i := range out {
		out[i].Sealed = bytes.Clone(out[i].Sealed)
	}
	return out
}

func sameRecords(a, b []Record) bool {
	return slices.EqualFunc(a, b, func(x, y Record) bool {
		return x.KeyID == y.KeyID && x.State == y.State && x.TokenLifeSeconds == y.TokenLifeSeconds &&
			bytes.Equal(x.Sealed, y.Sealed)
	})
}

// sortRecords puts the current key first, then the next, then the retired and
// the removed ones, the youngest first.
func sortRecords(records []Record) {
	rank := map[State]int{StateCurrent: 0, StateNext: 1, StateRetired: 2, StateRemoved: 3}
	slices.SortStableFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(rank[a.State], rank[b.State]), b.RetiredAt.Compare(a.RetiredAt), cmp.Compare(b.KeyID, a.KeyID))
	})
}

// ringState is what readers see; it is never changed after it was built.
type ringState struct {
	records []Record
	entries map[string]ringEntry
	current *Minter
	jwks    []byte
}

// ringEntry is one key ready for use.
type ringEntry struct {
	sealed []byte
	public *PublicKey
	minter *Minter // nil when retired
}

// build makes the state that the records describe. Keys that old has already
// are taken over, with their parsed native keys.
func (r *Ring) build(records []Record, old *ringState) (*ringState, error) {
	state := &ringState{records: cloneRecords(records), entries: make(map[string]ringEntry, len(records))}
	sortRecords(state.records)
	count := map[State]int{}
	var public []*PublicKey
	seen := map[string]bool{}
	for i := range state.records {
		record := &state.records[i]
		if seen[record.KeyID] {
			return nil, fmt.Errorf("%w: kid %s occurs twice", ErrKey, record.KeyID)
		}
		seen[record.KeyID] = true
		if record.State == StateRemoved {
			continue
		}
		entry, err := r.entry(record, old)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", record.KeyID, err)
		}
		state.entries[record.KeyID] = entry
		count[record.State]++
		public = append(public, entry.public)
		if record.State == StateCurrent {
			state.current = entry.minter
		}
	}
	if count[StateCurrent] > 1 || count[StateNext] > 1 || len(records) > 0 && count[StateCurrent] == 0 {
		return nil, fmt.Errorf("%w: %d current and %d next keys", ErrKey, count[StateCurrent], count[StateNext])
	}
	var err error
	state.jwks, err = RenderJWKS(public)
	return state, err
}

// entry opens one record, or takes over what old made of it.
func (r *Ring) entry(record *Record, old *ringState) (ringEntry, error) {
	if record.State != StateNext && record.State != StateCurrent && record.State != StateRetired {
		return ringEntry{}, fmt.Errorf("%w: unknown state %q", ErrKey, record.State)
	}
	var known ringEntry
	if old != nil {
		known = old.entries[record.KeyID]
	}
	entry := known
	if known.public == nil || !bytes.Equal(known.sealed, record.Sealed) || (known.minter == nil) != (record.State == StateRetired) {
		var err error
		if entry, err = r.open(record); err != nil {
			return ringEntry{}, err
		}
	}
	if entry.public.Algorithm != record.Algorithm {
		return ringEntry{}, fmt.Errorf("%w: the record says %q, the key is for %s", ErrKey, record.Algorithm, entry.public.Algorithm)
	}
	if known.public != nil && known.public.Equal(entry.public) {
		entry.public = known.public
		if entry.minter != nil && known.minter != nil {
			entry.minter = known.minter
		}
	}
	return entry, nil
}

// open decrypts and parses one record.
func (r *Ring) open(record *Record) (ringEntry, error) {
	der, err := r.opts.Sealer.Open(secret.PurposeSigningKey, r.objectID(record), record.Sealed)
	if err != nil {
		return ringEntry{}, err
	}
	defer clear(der)
	entry := ringEntry{sealed: record.Sealed}
	if record.State == StateRetired {
		if entry.public, err = ParsePublicKey(record.KeyID, der); err != nil {
			return ringEntry{}, err
		}
	} else {
		key, err := ParseKey(record.KeyID, der)
		if err != nil {
			return ringEntry{}, err
		}
		signer, err := NewSigner(key, r.opts.Engine)
		if err != nil {
			return ringEntry{}, err
		}
		if entry.minter, err = NewMinter(key.ID, signer, r.opts.Limiter); err != nil {
			return ringEntry{}, err
		}
		entry.public = key.Public()
	}
	return entry, nil
}

// objectID is what a record's sealed bytes are bound to: ring, kid and which
// half of the key they are. The name comes last, as it may contain anything.
func (r *Ring) objectID(record *Record) string {
	half := "private"
	if record.State == StateRetired {
		half = "public"
	}
	return record.KeyID + " " + half + " " + r.opts.Name
}
