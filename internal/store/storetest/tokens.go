package storetest

import (
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

func (e *env) token(key string, life time.Duration) store.Token {
	return store.Token{Space: "session", Key: key, Account: "a1", Owner: "iam-1",
		Expires: e.clock.Now().Add(life), Created: e.clock.Now(), Body: []byte(`{"n":1}`)}
}

var tokenTests = []test{
	{"a token is put, read, replaced and deleted", func(e *env) {
		tokens := e.db.Tokens()
		tok := e.token("k", time.Hour)
		e.must(tokens.Put(e.ctx, tok))
		got, err := tokens.Get(e.ctx, "session", "k")
		e.must(err)
		e.equal(*got, tok)
		tok.Body, tok.Owner, tok.Expires = []byte(`{"n":2}`), "iam-2", tok.Expires.Add(time.Minute)
		e.must(tokens.Put(e.ctx, tok))
		got, err = tokens.Get(e.ctx, "session", "k")
		e.must(err)
		e.equal(*got, tok)
		_, err = tokens.Get(e.ctx, "refresh", "k")
		e.fails(err, fault.NotFound)
		e.must(tokens.Delete(e.ctx, "session", "k"))
		e.must(tokens.Delete(e.ctx, "session", "k"))
		_, err = tokens.Get(e.ctx, "session", "k")
		e.fails(err, fault.NotFound)
	}},
	{"a token vanishes at the moment it expires", func(e *env) {
		tokens := e.db.Tokens()
		e.must(tokens.Put(e.ctx, e.token("k", time.Second)))
		e.must(tokens.Put(e.ctx, e.token("l", time.Second)))
		e.clock.Advance(time.Second - time.Microsecond)
		_, err := tokens.Get(e.ctx, "session", "k")
		e.must(err)
		_, err = tokens.Take(e.ctx, "session", "l")
		e.must(err)
		e.clock.Advance(time.Microsecond)
		_, err = tokens.Get(e.ctx, "session", "k")
		e.fails(err, fault.NotFound)
		_, err = tokens.Take(e.ctx, "session", "k")
		e.fails(err, fault.NotFound)
		found, err := tokens.List(e.ctx, "session", "a1", "iam-1")
		e.must(err)
		e.equal(len(found), 0)
	}},
	{"exactly one of many takes a token", func(e *env) {
		for n := range 5 {
			key := fmt.Sprint("k", n)
			e.must(e.db.Tokens().Put(e.ctx, e.token(key, time.Hour)))
			errs := together(32, func(i int) error {
				if i%2 == 0 {
					_, err := e.db.Tokens().Take(e.ctx, "session", key)
					return err
				}
				return e.db.Update(e.ctx, func(tx store.Tx) error {
					_, err := tx.Tokens().Take(e.ctx, "session", key)
					return err
				})
			})
			e.equal(e.successes(errs, fault.NotFound), 1)
		}
	}},
	{"tokens of an owner are listed oldest first", func(e *env) {
		for i, key := range []string{"c", "a", "b"} {
			e.clock.Advance(time.Duration(i) * time.Second)
			e.must(e.db.Tokens().Put(e.ctx, e.token(key, time.Hour)))
		}
		other := e.token("other", time.Hour)
		other.Owner = "iam-2"
		e.must(e.db.Tokens().Put(e.ctx, other))
		found, err := e.db.Tokens().List(e.ctx, "session", "a1", "iam-1")
		e.must(err)
		var keys []string
		for _, tok := range found {
			keys = append(keys, tok.Key)
		}
		e.equal(keys, []string{"c", "a", "b"})
	}},
	{"a sweep deletes the expired, at most so many", func(e *env) {
		for i := range 10 {
			e.must(e.db.Tokens().Put(e.ctx, e.token(fmt.Sprint("k", i), time.Duration(i+1)*time.Second)))
		}
		e.clock.Advance(7 * time.Second)
		for _, want := range []int{4, 3, 0} {
			n, err := e.db.Tokens().Sweep(e.ctx, 4)
			e.must(err)
			e.equal(n, want)
		}
		e.clock.Advance(-7 * time.Second) // the swept stay away even then
		found, err := e.db.Tokens().List(e.ctx, "session", "a1", "iam-1")
		e.must(err)
		e.equal(len(found), 3)
	}},
	{"a transaction's token is there after it only", func(e *env) {
		e.must(e.db.Update(e.ctx, func(tx store.Tx) error {
			tokens := tx.Tokens()
			e.must(tokens.Put(e.ctx, e.token("k", time.Hour)))
			found, err := tokens.List(e.ctx, "session", "a1", "iam-1")
			e.must(err)
			e.equal(len(found), 1)
			e.must(tokens.Delete(e.ctx, "session", "k"))
			e.must(tokens.Put(e.ctx, e.token("l", time.Hour)))
			n, err := tokens.Sweep(e.ctx, 10)
			e.equal(n, 0)
			return err
		}))
		_, err := e.db.Tokens().Get(e.ctx, "session", "l")
		e.must(err)
	}},
}

var activityTests = []test{
	{"activity adds up and keeps the latest time", func(e *env) {
		now := e.clock.Now()
		e.must(e.db.AddActivity(e.ctx, []store.Activity{
			{Account: "a1", Subject: "s1", Count: 2, Last: now},
			{Account: "a1", Subject: "s2", Count: 1, Last: now},
			{Account: "a1", Subject: "s1", Count: 3, Last: now.Add(time.Second)},
			{Account: "a2", Subject: "s1", Count: 7, Last: now},
		}))
		e.must(e.db.AddActivity(e.ctx, []store.Activity{{Account: "a1", Subject: "s1", Count: 1, Last: now.Add(-time.Hour)}}))
		e.must(e.db.AddActivity(e.ctx, nil))
		got, err := e.db.ListActivity(e.ctx, "a1")
		e.must(err)
		e.equal(got, []store.Activity{
			{Account: "a1", Subject: "s1", Count: 6, Last: now.Add(time.Second)},
			{Account: "a1", Subject: "s2", Count: 1, Last: now},
		})
		one, err := e.db.GetActivity(e.ctx, "a2", "s1")
		e.must(err)
		e.equal(one, store.Activity{Account: "a2", Subject: "s1", Count: 7, Last: now})
	}},
	{"who never was active has none", func(e *env) {
		got, err := e.db.GetActivity(e.ctx, "a1", "s1")
		e.must(err)
		e.equal(got, store.Activity{Account: "a1", Subject: "s1"})
		if !got.Last.IsZero() {
			e.Error("last is not zero")
		}
	}},
	{"concurrent additions lose nothing", func(e *env) {
		errs := together(32, func(i int) error {
			var batch []store.Activity
			for n := range 10 {
				batch = append(batch, store.Activity{Account: "a1", Subject: fmt.Sprint("s", (i+n)%10), Count: 1, Last: e.clock.Now()})
			}
			return e.db.AddActivity(e.ctx, batch)
		})
		e.equal(e.successes(errs), 32)
		got, err := e.db.ListActivity(e.ctx, "a1")
		e.must(err)
		for _, a := range got {
			e.equal(a.Count, int64(32))
		}
		e.equal(len(got), 10)
	}},
}
