package secret_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/secret"
)

var generators = []struct {
	name string
	form *regexp.Regexp
	draw func(io.Reader) (secret.Value, error)
}{
	{"API key", regexp.MustCompile(`^[A-Za-z0-9_-]{44}$`), secret.NewAPIKey},
	{"refresh token", regexp.MustCompile(`^[A-Za-z0-9_-]{64}$`), secret.NewRefreshToken},
	{"passcode", regexp.MustCompile(`^[A-Za-z0-9]{10}$`), secret.NewPasscode},
}

func TestGeneratedCredentials(t *testing.T) {
	for _, tt := range generators {
		t.Run(tt.name, func(t *testing.T) {
			seen := map[string]bool{}
			for range 200 {
				v, err := tt.draw(rand.Reader)
				if err != nil || !tt.form.MatchString(v.Reveal()) {
					t.Fatalf("drew %q, %v", v.Reveal(), err)
				}
				seen[v.Reveal()] = true
			}
			if len(seen) != 200 {
				t.Errorf("%d of 200 are different", len(seen))
			}
			seed := strings.Repeat("a fixed source of randomness ", 40)
			a, errA := tt.draw(strings.NewReader(seed))
			b, errB := tt.draw(strings.NewReader(seed))
			if errA != nil || errB != nil || !a.Equal(b) {
				t.Errorf("the same randomness gives different values (%v, %v)", errA, errB)
			}
			if v, err := tt.draw(bytes.NewReader(nil)); err == nil || !v.IsZero() {
				t.Error("a value is drawn without randomness")
			}
		})
	}
}

func TestPasscodeCharactersAreEquallyLikely(t *testing.T) {
	// Every byte value once per 256: each accepted value must map to the alphabet
	// evenly, which a plain modulo would not do.
	var source bytes.Buffer
	for range 400 {
		for b := range 256 {
			source.WriteByte(byte(b))
		}
	}
	counts := map[rune]int{}
	total := 0
	for {
		v, err := secret.NewPasscode(&source)
		if err != nil {
			break
		}
		for _, r := range v.Reveal() {
			counts[r]++
			total++
		}
	}
	for r, n := range counts {
		if mean := total / 62; n < mean*8/10 || n > mean*12/10 {
			t.Errorf("%q is drawn %d times, the mean is %d", r, n, mean)
		}
	}
	if len(counts) != 62 {
		t.Errorf("%d characters are ever drawn, want 62", len(counts))
	}
}

func TestPasscodeGivesUpOnABrokenSource(t *testing.T) {
	if _, err := secret.NewPasscode(endless(255)); err == nil {
		t.Error("a source that only repeats a rejected byte gives a passcode")
	}
}

// endless is a reader of one byte, for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}
