package secret_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"sync"
	"testing"

	"github.com/kagiban/kagiban/internal/secret"
)

func newHasher(t testing.TB, pepper []byte, purpose secret.Purpose) *secret.Hasher {
	t.Helper()
	h, err := secret.NewHasher(pepper, purpose)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestLookupDependsOnPepperPurposeAndSecretOnly(t *testing.T) {
	pepper, other := bytes.Repeat([]byte{1, 2}, 16), bytes.Repeat([]byte{3, 4}, 16)
	key := secret.New("some-api-key")
	base := newHasher(t, pepper, secret.PurposeAPIKey).Lookup(key)
	if again := newHasher(t, pepper, secret.PurposeAPIKey).Lookup(secret.New("some-api-key")); again != base {
		t.Error("another process with the same pepper does not find the key")
	}
	// The stored look-up keys of every installation hang on this derivation.
	if want := "gj81sRhZf2uC47Yn_4tu7qOuSk_p5-1N48wjIyeSDwY"; base != want {
		t.Errorf("look-up key is %s, want %s", base, want)
	}
	for name, got := range map[string]string{
		"pepper":  newHasher(t, other, secret.PurposeAPIKey).Lookup(key),
		"purpose": newHasher(t, pepper, secret.PurposeRefreshToken).Lookup(key),
		"secret":  newHasher(t, pepper, secret.PurposeAPIKey).Lookup(secret.New("some-api-kez")),
		"empty":   newHasher(t, pepper, secret.PurposeAPIKey).Lookup(secret.Value{}),
	} {
		if got == base || len(got) != len(base) {
			t.Errorf("another %s gives look-up key %s, the first was %s", name, got, base)
		}
	}
}

func TestSumIsWhatLookupEncodes(t *testing.T) {
	h := newHasher(t, make([]byte, 32), secret.PurposeAPIKey)
	sum := h.Sum(secret.New("x"))
	if got, want := h.Lookup(secret.New("x")), base64.RawURLEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("Lookup is %s, Sum encodes to %s", got, want)
	}
}

func TestLookupIsTheSameUnderConcurrency(t *testing.T) {
	h := newHasher(t, make([]byte, 32), secret.PurposeAPIKey)
	want := make([]string, 16)
	for i := range want {
		want[i] = h.Lookup(secret.New(fmt.Sprint("key-", i)))
	}
	var wg sync.WaitGroup
	for i := range want {
		wg.Go(func() {
			for range 200 {
				if got := h.Lookup(secret.New(fmt.Sprint("key-", i))); got != want[i] {
					t.Errorf("key %d hashes to %s, alone to %s", i, got, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestHasherRefusesWeakPepperAndNoPurpose(t *testing.T) {
	if _, err := secret.NewHasher(make([]byte, 31), secret.PurposeAPIKey); err == nil {
		t.Error("a pepper of 31 bytes is accepted")
	}
	if _, err := secret.NewHasher(make([]byte, 32), ""); err == nil {
		t.Error("an empty purpose is accepted")
	}
}

func BenchmarkLookup(b *testing.B) {
	pepper := make([]byte, secret.PepperSize)
	h := newHasher(b, pepper, secret.PurposeAPIKey)
	key, err := secret.NewAPIKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Lookup(key)
	}
}
