package signing

import (
	"slices"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// plan works out the records that follow from a ring's state; it changes
// nothing but its own copy.
type plan struct {
	ring    *Ring
	old     *ringState
	now     time.Time
	records []Record
	changed bool
}

func newPlan(r *Ring, old *ringState, now time.Time) *plan {
	return &plan{ring: r, old: old, now: now.UTC().Truncate(time.Second), records: cloneRecords(old.records)}
}

// due plans what RotateIfDue describes.
func (p *plan) due() error {
	p.dropExpired()
	if p.find(StateCurrent) == nil {
		// A first key may sign at once: nobody has cached an older JWKS.
		return p.add(StateCurrent)
	}
	p.raiseTokenLife()
	if next := p.find(StateNext); next != nil && next.Algorithm != p.ring.opts.Algorithm {
		p.takeOut(next)
	}
	next, current := p.find(StateNext), p.find(StateCurrent)
	tooOld := p.now.Sub(current.ActivatedAt) >= p.ring.opts.RotateAfter
	if next != nil && (tooOld || current.Algorithm != p.ring.opts.Algorithm) && !p.now.Before(next.NotBefore) {
		if err := p.promote(); err != nil {
			return err
		}
	}
	if p.find(StateNext) == nil {
		return p.add(StateNext)
	}
	return nil
}

// force plans what Rotate describes.
func (p *plan) force() error {
	p.dropExpired()
	if p.find(StateCurrent) == nil {
		return p.add(StateCurrent)
	}
	p.raiseTokenLife()
	if next := p.find(StateNext); next != nil && next.Algorithm != p.ring.opts.Algorithm {
		p.takeOut(next)
	}
	if p.find(StateNext) == nil {
		if err := p.add(StateNext); err != nil {
			return err
		}
	}
	if err := p.promote(); err != nil {
		return err
	}
	return p.add(StateNext)
}

// remove plans what Remove describes.
func (p *plan) remove(kid string) error {
	i := slices.IndexFunc(p.records, func(r Record) bool { return r.KeyID == kid && r.State != StateRemoved })
	if i < 0 {
		return ErrUnknownKey
	}
	wasCurrent := p.records[i].State == StateCurrent
	p.takeOut(&p.records[i])
	if !wasCurrent {
		return nil
	}
	if next := p.find(StateNext); next != nil {
		p.activate(next)
		return nil
	}
	return p.add(StateCurrent)
}

// promote retires the current key and lets the next one sign.
func (p *plan) promote() error {
	if err := p.retire(p.find(StateCurrent)); err != nil {
		return err
	}
	p.activate(p.find(StateNext))
	return nil
}

func (p *plan) activate(record *Record) {
	record.State, record.ActivatedAt = StateCurrent, p.now
	p.changed = true
}

// retire keeps the public half of a key only.
func (p *plan) retire(record *Record) error {
	der, err := p.old.entries[record.KeyID].public.MarshalPKIX()
	if err != nil {
		return err
	}
	record.State, record.RetiredAt = StateRetired, p.now
	life := time.Duration(record.TokenLifeSeconds) * time.Second
	record.VerifyUntil = p.now.Add(life + retireGrace)
	record.Sealed, err = p.ring.opts.Sealer.Seal(secret.PurposeSigningKey, p.ring.objectID(record), der)
	p.changed = true
	return err
}

// add makes a new key in the given state.
func (p *plan) add(state State) error {
	opts := &p.ring.opts
	id := NewKeyID(p.now, func(kid string) bool {
		return slices.ContainsFunc(p.records, func(r Record) bool { return r.KeyID == kid })
	})
	key, err := GenerateKey(opts.Algorithm, opts.RSABits, id)
	if err != nil {
		return err
	}
	der, err := key.MarshalPKCS8()
	if err != nil {
		return err
	}
	defer clear(der)
	record := Record{
		KeyID: id, Algorithm: opts.Algorithm, State: state, CreatedAt: p.now,
		NotBefore: p.now.Add(opts.PublishAhead), TokenLifeSeconds: p.tokenLife(),
	}
	if state == StateCurrent {
		record.NotBefore, record.ActivatedAt = p.now, p.now
	}
	if record.Sealed, err = opts.Sealer.Seal(secret.PurposeSigningKey, p.ring.objectID(&record), der); err != nil {
		return err
	}
	p.records = append(p.records, record)
	p.changed = true
	return nil
}

// tokenLife is the configured life in seconds, rounded up.
func (p *plan) tokenLife() int64 {
	return int64((p.ring.opts.MaxTokenLife + time.Second - 1) / time.Second)
}

// raiseTokenLife notes a longer configured life with the keys that may sign.
func (p *plan) raiseTokenLife() {
	for i := range p.records {
		r := &p.records[i]
		if (r.State == StateNext || r.State == StateCurrent) && r.TokenLifeSeconds < p.tokenLife() {
			r.TokenLifeSeconds = p.tokenLife()
			p.changed = true
		}
	}
}

// dropExpired drops retired keys whose last token has expired, and removed ones
// whose kid is free again.
func (p *plan) dropExpired() {
	before := len(p.records)
	p.records = slices.DeleteFunc(p.records, func(r Record) bool {
		return (r.State == StateRetired || r.State == StateRemoved) && !p.now.Before(r.VerifyUntil)
	})
	p.changed = p.changed || len(p.records) != before
}

// takeOut forgets a key and keeps its kid reserved.
func (p *plan) takeOut(record *Record) {
	record.State, record.Sealed = StateRemoved, nil
	record.RetiredAt, record.VerifyUntil = p.now, p.now.Add(removedMemory)
	p.changed = true
}

// find returns the record in the given state, of which there is at most one for
// next and current.
func (p *plan) find(state State) *Record {
	for i := range p.records {
		if p.records[i].State == state {
			return &p.records[i]
		}
	}
	return nil
}
