package secret_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/secret"
	"pgregory.net/rapid"
)

func masterKey(t testing.TB, seed byte) secret.MasterKey {
	t.Helper()
	raw := make([]byte, secret.MasterKeySize)
	for i := range raw {
		raw[i] = seed + byte(i)
	}
	key, err := secret.ParseMasterKey(hex.EncodeToString(raw))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newSealer(t testing.TB, keys ...secret.MasterKey) *secret.Sealer {
	t.Helper()
	s, err := secret.NewSealer(nil, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedValueOpensOnlyWhereItBelongs(t *testing.T) {
	s := newSealer(t, masterKey(t, 1))
	plain := []byte("-- private key --")
	sealed, err := s.Seal(secret.PurposeSigningKey, "key-1", plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, plain[:8]) {
		t.Fatal("the sealed value contains the plain text")
	}
	got, err := s.Open(secret.PurposeSigningKey, "key-1", sealed)
	if err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("Open gives %q (%v), want %q", got, err, plain)
	}
	again, err := s.Seal(secret.PurposeSigningKey, "key-1", plain)
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealing twice gives equal bytes (%v): the nonce repeats", err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"other object":  func() ([]byte, error) { return s.Open(secret.PurposeSigningKey, "key-2", sealed) },
		"other purpose": func() ([]byte, error) { return s.Open(secret.PurposeAPIKey, "key-1", sealed) },
		"shifted border": func() ([]byte, error) {
			return s.Open(secret.PurposeSigningKey[:len(secret.PurposeSigningKey)-1], "ykey-1", sealed)
		},
	} {
		if got, err := open(); !errors.Is(err, secret.ErrTampered) || got != nil {
			t.Errorf("%s: got %q, %v; want ErrTampered", name, got, err)
		}
	}
	if got, err := newSealer(t, masterKey(t, 2)).Open(secret.PurposeSigningKey, "key-1", sealed); !errors.Is(err, secret.ErrUnknownKey) {
		t.Errorf("another master key: got %q, %v; want ErrUnknownKey", got, err)
	}
}

func TestAnyChangedByteIsNoticed(t *testing.T) {
	s := newSealer(t, masterKey(t, 1), masterKey(t, 2))
	sealed, err := s.Seal(secret.PurposeAPIKey, "a", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := s.Open(secret.PurposeAPIKey, "a", bad); err == nil {
			t.Errorf("a change of byte %d passes", i)
		}
	}
	for n := range sealed {
		if _, err := s.Open(secret.PurposeAPIKey, "a", sealed[:n]); err == nil {
			t.Errorf("the first %d bytes open", n)
		}
	}
	// A header that names the other master key must not make it open either.
	foreign, err := newSealer(t, masterKey(t, 2)).Seal(secret.PurposeAPIKey, "a", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	mixed := append(bytes.Clone(foreign[:9]), sealed[9:]...)
	if _, err := s.Open(secret.PurposeAPIKey, "a", mixed); !errors.Is(err, secret.ErrTampered) {
		t.Errorf("a swapped key id gives %v, want ErrTampered", err)
	}
}

func TestMasterKeyRotation(t *testing.T) {
	old, new := masterKey(t, 1), masterKey(t, 2)
	sealed, err := newSealer(t, old).Seal(secret.PurposePepper, "p", []byte("pepper"))
	if err != nil {
		t.Fatal(err)
	}
	both := newSealer(t, new, old)
	if !both.NeedsReseal(sealed) {
		t.Fatal("a value under the old key is not reported")
	}
	if got, err := both.Open(secret.PurposePepper, "p", sealed); err != nil || string(got) != "pepper" {
		t.Fatalf("the old key no longer opens: %q, %v", got, err)
	}
	resealed, err := both.Reseal(secret.PurposePepper, "p", sealed)
	if err != nil || both.NeedsReseal(resealed) {
		t.Fatalf("resealing: %v, still old: %v", err, both.NeedsReseal(resealed))
	}
	if got, err := newSealer(t, new).Open(secret.PurposePepper, "p", resealed); err != nil || string(got) != "pepper" {
		t.Errorf("without the old key: %q, %v", got, err)
	}
	if both.KeyID() != new.ID() || both.NeedsReseal([]byte("garbage")) {
		t.Error("the sealing key is not the first, or garbage asks to be resealed")
	}
}

func TestSealOpensEveryPlaintext(t *testing.T) {
	s := newSealer(t, masterKey(t, 1))
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		id := rapid.StringN(1, 40, 160).Draw(t, "id")
		sealed, err := s.Seal(secret.PurposeAPIKey, id, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Open(secret.PurposeAPIKey, id, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("opened %x (%v), sealed %x", got, err, plain)
		}
	})
}

func TestSecretValuesSealLikeBytes(t *testing.T) {
	s := newSealer(t, masterKey(t, 1))
	sealed, err := s.SealValue(secret.PurposeAPIKey, "a", secret.New("key"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.OpenValue(secret.PurposeAPIKey, "a", sealed)
	if err != nil || got.Reveal() != "key" {
		t.Errorf("opened %q, %v", got.Reveal(), err)
	}
	if got, err := s.OpenValue(secret.PurposeAPIKey, "b", sealed); err == nil || !got.IsZero() {
		t.Errorf("another object's value opens: %v", err)
	}
}

func TestSealerRefusesWrongUse(t *testing.T) {
	for name, keys := range map[string][]secret.MasterKey{
		"no key":   nil,
		"zero key": {{}},
		"twice":    {masterKey(t, 1), masterKey(t, 1)},
	} {
		if _, err := secret.NewSealer(nil, keys...); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	s := newSealer(t, masterKey(t, 1))
	for name, seal := range map[string]func() ([]byte, error){
		"no purpose": func() ([]byte, error) { return s.Seal("", "id", nil) },
		"no object":  func() ([]byte, error) { return s.Seal(secret.PurposeAPIKey, "", nil) },
		"long id":    func() ([]byte, error) { return s.Seal(secret.PurposeAPIKey, strings.Repeat("i", 2000), nil) },
		"too big":    func() ([]byte, error) { return s.Seal(secret.PurposeAPIKey, "id", make([]byte, 1<<20+1)) },
	} {
		if _, err := seal(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	dry, err := secret.NewSealer(bytes.NewReader(nil), masterKey(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dry.Seal(secret.PurposeAPIKey, "id", nil); err == nil {
		t.Error("sealing goes on without randomness")
	}
}

func TestMasterKeyForms(t *testing.T) {
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(251 - i*3) // has - and _ in base64url
	}
	want := base64.StdEncoding.EncodeToString(raw)
	for name, text := range map[string]string{
		"hex":           hex.EncodeToString(raw),
		"HEX":           strings.ToUpper(hex.EncodeToString(raw)),
		"base64":        want,
		"unpadded":      strings.TrimRight(want, "="),
		"URL alphabet":  base64.URLEncoding.EncodeToString(raw),
		"URL, unpadded": base64.RawURLEncoding.EncodeToString(raw),
		"with newline":  " " + want + "\r\n",
	} {
		key, err := secret.ParseMasterKey(text)
		if err != nil || key.Reveal() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"empty":            " \n",
		"short hex":        hex.EncodeToString(raw[1:]),
		"long hex":         hex.EncodeToString(raw) + "00",
		"not hex":          strings.Repeat("zz", 32),
		"31 bytes":         base64.StdEncoding.EncodeToString(raw[1:]),
		"33 bytes":         base64.RawStdEncoding.EncodeToString(append([]byte{9}, raw...)),
		"two padding":      want[:42] + "==",
		"inner newline":    want[:20] + "\n" + want[21:],
		"trailing bits":    want[:42] + "/=",
		"mixed alphabet":   "-/" + want[2:],
		"a pass phrase":    "my dog's name",
		"one byte, 32 x":   strings.Repeat("00", 32),
		"one byte, base64": base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{255}, 32)),
	} {
		key, err := secret.ParseMasterKey(text)
		if err == nil || !key.IsZero() {
			t.Errorf("%s is accepted", name)
			continue
		}
		if trimmed := strings.TrimSpace(text); trimmed != "" && strings.Contains(err.Error(), trimmed) {
			t.Errorf("%s: the error quotes the key: %v", name, err)
		}
	}
}

func TestGeneratedMasterKeysDiffer(t *testing.T) {
	a, errA := secret.GenerateMasterKey(rand.Reader)
	b, errB := secret.GenerateMasterKey(rand.Reader)
	if errA != nil || errB != nil || a.ID() == b.ID() || len(a.ID()) != 16 {
		t.Errorf("ids %s and %s (%v, %v)", a.ID(), b.ID(), errA, errB)
	}
	if again, err := secret.ParseMasterKey(a.Reveal()); err != nil || again.ID() != a.ID() {
		t.Errorf("a generated key does not parse back: %v", err)
	}
	if _, err := secret.GenerateMasterKey(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a short source of randomness gives a key")
	}
	if (secret.MasterKey{}).ID() != "" || (secret.MasterKey{}).Reveal() != "" {
		t.Error("the zero key has an id or content")
	}
}

func FuzzParseMasterKey(f *testing.F) {
	f.Add(strings.Repeat("0a", 32))
	f.Add("AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=")
	f.Add("-_8")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := secret.ParseMasterKey(text)
		if err != nil {
			return
		}
		again, err := secret.ParseMasterKey(key.Reveal())
		if err != nil || again.Reveal() != key.Reveal() {
			t.Errorf("accepted key does not parse back: %v", err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	// Fuzzing runs in several processes: a fixed nonce makes the one genuine value
	// the same in all of them.
	s, err := secret.NewSealer(endless(7), masterKey(f, 1))
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := s.Seal(secret.PurposeAPIKey, "a", []byte("x"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Equal(data, sealed) {
			return
		}
		if got, err := s.Open(secret.PurposeAPIKey, "a", data); err == nil {
			t.Errorf("forged value opens to %q", got)
		}
		s.NeedsReseal(data)
	})
}
