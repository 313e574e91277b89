package secret_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

func TestPasswordHashVerifies(t *testing.T) {
	ctx := t.Context()
	p := secret.NewPasswords(nil, 1)
	hash, err := p.Hash(ctx, secret.New("pass word"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash is %s", hash)
	}
	if again, err := p.Hash(ctx, secret.New("pass word")); err != nil || again == hash {
		t.Errorf("two hashes of one password are equal (%v): the salt repeats", err)
	}
	ok, outdated, err := p.Verify(ctx, hash, secret.New("pass word"))
	if !ok || outdated || err != nil {
		t.Errorf("right password: %v, %v, %v", ok, outdated, err)
	}
	ok, _, err = p.Verify(ctx, hash, secret.New("pass worD"))
	if ok || err != nil {
		t.Errorf("wrong password: %v, %v", ok, err)
	}
	for _, wrong := range []string{"", strings.Repeat("a", 1025)} {
		if ok, _, err := p.Verify(ctx, hash, secret.New(wrong)); ok || err != nil {
			t.Errorf("password of %d bytes: %v, %v", len(wrong), ok, err)
		}
		if _, err := p.Hash(ctx, secret.New(wrong)); !errors.Is(err, secret.ErrPasswordLength) {
			t.Errorf("hashing %d bytes: %v", len(wrong), err)
		}
		if err := p.VerifyNobody(ctx, secret.New(wrong)); err != nil {
			t.Errorf("nobody with %d bytes: %v", len(wrong), err)
		}
	}
	if err := p.VerifyNobody(ctx, secret.New("pass word")); err != nil {
		t.Error(err)
	}
}

// foreignHash is the test vector of the argon2 reference implementation for the
// password "password" and the salt "somesalt" (its test.c, argon2id, t=2,
// m=65536, p=1).
const foreignHash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestHashOfAnotherProgramVerifiesAndIsOutdated(t *testing.T) {
	ok, outdated, err := secret.NewPasswords(nil, 1).Verify(t.Context(), foreignHash, secret.New("password"))
	if !ok || !outdated || err != nil {
		t.Errorf("got %v, outdated %v, %v; want true, true, nil", ok, outdated, err)
	}
}

func TestHostilePasswordHashesAreRefused(t *testing.T) {
	const salt, key = "c29tZXNhbHRzb21lc2FsdA", "RdescudvJCsgt3ub+b/dWRWJTmaaJObG"
	tests := []struct{ name, hash string }{
		{"empty", ""},
		{"plain text", "hunter2"},
		{"argon2i", "$argon2i$v=19$m=19456,t=2,p=1$" + salt + "$" + key},
		{"old version", "$argon2id$v=16$m=19456,t=2,p=1$" + salt + "$" + key},
		{"no version", "$argon2id$m=19456,t=2,p=1$" + salt + "$" + key},
		{"4 TiB", "$argon2id$v=19$m=4294967295,t=2,p=1$" + salt + "$" + key},
		{"just over the memory bound", "$argon2id$v=19$m=65537,t=2,p=1$" + salt + "$" + key},
		{"overflow", "$argon2id$v=19$m=4294986752,t=2,p=1$" + salt + "$" + key},
		{"no memory", "$argon2id$v=19$m=0,t=2,p=1$" + salt + "$" + key},
		{"weak memory", "$argon2id$v=19$m=8,t=2,p=1$" + salt + "$" + key},
		{"many passes", "$argon2id$v=19$m=19456,t=4000000,p=1$" + salt + "$" + key},
		{"no passes", "$argon2id$v=19$m=19456,t=0,p=1$" + salt + "$" + key},
		{"256 lanes", "$argon2id$v=19$m=19456,t=2,p=256$" + salt + "$" + key},
		{"257 lanes", "$argon2id$v=19$m=19456,t=2,p=257$" + salt + "$" + key},
		{"sign", "$argon2id$v=19$m=+19456,t=2,p=1$" + salt + "$" + key},
		{"leading zero", "$argon2id$v=19$m=019456,t=2,p=1$" + salt + "$" + key},
		{"order", "$argon2id$v=19$t=2,m=19456,p=1$" + salt + "$" + key},
		{"extra parameter", "$argon2id$v=19$m=19456,t=2,p=1,data=x$" + salt + "$" + key},
		{"padded salt", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "==$" + key},
		{"short salt", "$argon2id$v=19$m=19456,t=2,p=1$c29t$" + key},
		{"newline in salt", "$argon2id$v=19$m=19456,t=2,p=1$c29t\nZXNhbHRzb21lc2FsdA$" + key},
		{"no key", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$"},
		{"short key", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$AAAA"},
		{"long key", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat("A", 160)},
		{"seventh part", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + key + "$x"},
		{"endless", "$argon2id$v=19$m=19456,t=2,p=1$" + salt + "$" + strings.Repeat("A", 10000)},
	}
	p := secret.NewPasswords(nil, 1)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ok, _, err := p.Verify(t.Context(), tt.hash, secret.New("password"))
			if ok || !errors.Is(err, secret.ErrPasswordHash) {
				t.Errorf("got %v, %v; want ErrPasswordHash", ok, err)
			}
		})
	}
}

func FuzzVerifyPassword(f *testing.F) {
	f.Add("$argon2id$v=19$m=4096,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b/dWQ")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	done, cancel := context.WithCancel(context.Background())
	cancel()
	p := secret.NewPasswords(nil, 1)
	f.Fuzz(func(t *testing.T, encoded string) {
		// The cancelled context keeps accepted parameters from being computed.
		ok, _, err := p.Verify(done, encoded, secret.New("password"))
		if ok || !errors.Is(err, secret.ErrPasswordHash) && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, %v", ok, err)
		}
	})
}

// TestTheTimeDoesNotTellWhoseHashIsAnOldOne: the least hash that is accepted is
// a tenth of the work of one of ours.
func TestTheTimeDoesNotTellWhoseHashIsAnOldOne(t *testing.T) {
	old, err := secret.NewPasswordsAt(secret.LeastCost, nil, 1).Hash(t.Context(), secret.New("pass word"))
	if err != nil {
		t.Fatal(err)
	}
	p := secret.NewPasswords(nil, 1)
	quickest := map[string]time.Duration{"old": time.Hour, "nobody": time.Hour}
	ratio := 0.0
	// In turn and again, because the machine has other things to do.
	for round := 0; round < 5 || round < 60 && (ratio < 0.7 || ratio > 1.4); round++ {
		for whose, judge := range map[string]func() error{
			"old":    func() error { _, _, err := p.Verify(t.Context(), old, secret.New("a guess")); return err },
			"nobody": func() error { return p.VerifyNobody(t.Context(), secret.New("a guess")) },
		} {
			start := time.Now()
			if err := judge(); err != nil {
				t.Fatal(err)
			}
			quickest[whose] = min(quickest[whose], time.Since(start))
		}
		ratio = float64(quickest["old"]) / float64(quickest["nobody"])
	}
	if ratio < 0.7 || ratio > 1.4 {
		t.Errorf("a guess at an old hash takes %v, at nobody's %v", quickest["old"], quickest["nobody"])
	}
}
