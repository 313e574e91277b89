package signing_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/signing"
)

const issuer = "https://iam.example.com/identity"

// claimsAt are the claims of a token made at start with a life of an hour.
func claimsAt(start time.Time) string {
	return fmt.Sprintf(`{"iss":"%s","iat":%d,"exp":%d,"sub":"ServiceId-1"}`, issuer, start.Unix(), start.Add(time.Hour).Unix())
}

func payloadVerifier(keys signing.Keys, cache int) *signing.Verifier[json.RawMessage] {
	return signing.NewVerifier(signing.VerifierOptions[json.RawMessage]{
		Keys: keys, CacheSize: cache, Now: func() time.Time { return start }, Decode: payload,
	})
}

// payload keeps what a token says as it is.
func payload(p []byte) (json.RawMessage, error) { return p, nil }

// keySet is a fixed set of keys.
type keySet map[string]*signing.PublicKey

func (s keySet) PublicKey(kid string) *signing.PublicKey { return s[kid] }

func setOf(keys ...*signing.Key) keySet {
	set := keySet{}
	for _, key := range keys {
		set[key.ID] = key.Public()
	}
	return set
}

func bothKeys() keySet { return setOf(rsaKey(), ecKey()) }

// sign makes a token of any header and payload with one of the test keys, as an
// attacker who has no key cannot, to show that the other checks hold alone.
func sign(t testing.TB, key *signing.Key, header, payload string) string {
	t.Helper()
	input := encode(header) + "." + encode(payload)
	digest := sha256.Sum256([]byte(input))
	sig, err := newSigner(t, key, signing.EngineGo).Sign(digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func TestGenuineTokensAreAccepted(t *testing.T) {
	for _, key := range []*signing.Key{rsaKey(), ecKey()} {
		for _, cache := range []int{0, 10} {
			v := payloadVerifier(bothKeys(), cache)
			token := mint(t, key, claimsAt(start))
			for range 2 {
				got, err := v.Verify(token)
				if err != nil {
					t.Fatal(err)
				}
				if string(got.Claims) != claimsAt(start) || got.KeyID != key.ID ||
					!got.IssuedAt.Equal(start) {
					t.Errorf("verified token is %+v", got)
				}
			}
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	rs, es := rsaKey(), ecKey()
	rsaHeader := `{"kid":"` + rs.ID + `","alg":"RS256"}`
	claims := claimsAt(start)
	good := sign(t, rs, rsaHeader, claims)
	head, rest, _ := strings.Cut(good, ".")
	body, sig, _ := strings.Cut(rest, ".")
	pkix, err := rs.Public().MarshalPKIX()
	if err != nil {
		t.Fatal(err)
	}
	// The classic confusion: the public key as an HMAC secret.
	hsInput := encode(`{"kid":"`+rs.ID+`","alg":"HS256"}`) + "." + body
	mac := hmac.New(sha256.New, pkix)
	mac.Write([]byte(hsInput))
	stranger := mustKey(signing.ES256, es.ID)
	strangerJWK, err := stranger.Public().JWK()
	if err != nil {
		t.Fatal(err)
	}
	with := func(member string) string {
		return sign(t, rs, `{"kid":"`+rs.ID+`","alg":"RS256",`+member+`}`, claims)
	}
	tests := []struct {
		name, token string
		want        error
	}{
		{"empty", "", signing.ErrMalformed},
		{"a word", "not_supported", signing.ErrMalformed},
		{"two parts", head + "." + body, signing.ErrMalformed},
		{"four parts", good + ".x", signing.ErrMalformed},
		{"five parts", good + ".x.y", signing.ErrMalformed},
		{"no signature", head + "." + body + ".", signing.ErrMalformed},
		{"no payload", head + ".." + sig, signing.ErrMalformed},
		{"no header", "." + body + "." + sig, signing.ErrMalformed},
		{"over-long", good + strings.Repeat("A", signing.MaxTokenLength), signing.ErrMalformed},
		{"alg none, no signature", encode(`{"kid":"`+rs.ID+`","alg":"none"}`) + "." + body + ".", signing.ErrAlgorithm},
		{"alg none with signature", sign(t, rs, `{"kid":"`+rs.ID+`","alg":"none"}`, claims), signing.ErrAlgorithm},
		{"alg None", sign(t, rs, `{"kid":"`+rs.ID+`","alg":"None"}`, claims), signing.ErrAlgorithm},
		{"HS256 with the public key", hsInput + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), signing.ErrAlgorithm},
		{"RS512", sign(t, rs, `{"kid":"`+rs.ID+`","alg":"RS512"}`, claims), signing.ErrAlgorithm},
		{"no alg", sign(t, rs, `{"kid":"`+rs.ID+`"}`, claims), signing.ErrAlgorithm},
		{"alg of another key", sign(t, es, `{"kid":"`+rs.ID+`","alg":"ES256"}`, claims), signing.ErrAlgorithm},
		{"kid of another alg", sign(t, rs, `{"kid":"`+es.ID+`","alg":"RS256"}`, claims), signing.ErrAlgorithm},
		{"kid of another key, its alg", sign(t, stranger, `{"kid":"`+es.ID+`","alg":"ES256"}`, claims), signing.ErrSignature},
		{"no kid", sign(t, rs, `{"alg":"RS256"}`, claims), signing.ErrMalformed},
		{"empty kid", sign(t, rs, `{"kid":"","alg":"RS256"}`, claims), signing.ErrMalformed},
		{"unknown kid", sign(t, rs, `{"kid":"202611220239","alg":"RS256"}`, claims), signing.ErrUnknownKey},
		{"path as kid", sign(t, rs, `{"kid":"../../dev/null","alg":"RS256"}`, claims), signing.ErrUnknownKey},
		{"embedded jwk", sign(t, stranger, `{"kid":"`+es.ID+`","alg":"ES256","jwk":`+string(strangerJWK)+`}`, claims), signing.ErrMalformed},
		{"jku", with(`"jku":"https://attacker.example/keys"`), signing.ErrMalformed},
		{"x5u", with(`"x5u":"https://attacker.example/cert"`), signing.ErrMalformed},
		{"x5c", with(`"x5c":[]`), signing.ErrMalformed},
		{"crit", with(`"crit":["exp"],"exp":1`), signing.ErrMalformed},
		{"empty crit", with(`"crit":[]`), signing.ErrMalformed},
		{"b64 false", with(`"b64":false`), signing.ErrMalformed},
		{"zip", with(`"zip":"DEF"`), signing.ErrMalformed},
		{"kid twice", with(`"kid":"x"`), signing.ErrMalformed},
		{"alg twice", with(`"alg":"none"`), signing.ErrMalformed},
		{"alg in capitals only", sign(t, rs, `{"kid":"`+rs.ID+`","ALG":"RS256"}`, claims), signing.ErrAlgorithm},
		{"kid is a number", sign(t, rs, `{"kid":202611220240,"alg":"RS256"}`, claims), signing.ErrMalformed},
		{"alg is null", sign(t, rs, `{"kid":"`+rs.ID+`","alg":null}`, claims), signing.ErrMalformed},
		{"header is an array", sign(t, rs, `["kid"]`, claims), signing.ErrMalformed},
		{"header cut off", sign(t, rs, rsaHeader[:len(rsaHeader)-1], claims), signing.ErrMalformed},
		{"data after the header", sign(t, rs, rsaHeader+"{}", claims), signing.ErrMalformed},
		{"header is no JSON", sign(t, rs, "kid", claims), signing.ErrMalformed},
		{"padded", good + "==", signing.ErrMalformed},
		{"standard alphabet", strings.NewReplacer("-", "+", "_", "/").Replace(good), signing.ErrMalformed},
		{"line break", head + "." + body[:8] + "\n" + body[8:] + "." + sig, signing.ErrMalformed},
		{"space in front", " " + good, signing.ErrMalformed},
		{"Bearer in front", "Bearer " + good, signing.ErrMalformed},
		{"garbage base64", head + "." + body + ".!!!!", signing.ErrMalformed},
		{"not UTF-8", head + "." + body + ".\xff\xfe", signing.ErrMalformed},
		{"other payload", head + "." + encode(strings.Replace(claims, "ServiceId-1", "ServiceId-2", 1)) + "." + sig, signing.ErrSignature},
		{"other signature", head + "." + body + "." + strings.Repeat("A", len(sig)-1) + "A", signing.ErrSignature},
		{"short signature", head + "." + body + "." + sig[:len(sig)-2], signing.ErrSignature},
		{"one byte of signature", head + "." + body + ".AA", signing.ErrSignature},
		{"zero ES256 signature", encode(`{"kid":"`+es.ID+`","alg":"ES256"}`) + "." + body + "." + strings.Repeat("A", 86), signing.ErrSignature},
	}
	for _, cache := range []int{0, 100} {
		v := payloadVerifier(bothKeys(), cache)
		if _, err := v.Verify(good); err != nil {
			t.Fatalf("the genuine token is refused: %v", err)
		}
		for _, tt := range tests {
			got, err := v.Verify(tt.token)
			if !errors.Is(err, tt.want) || got != nil {
				t.Errorf("%s (cache %d): got %v, %v; want %v", tt.name, cache, got, err, tt.want)
			}
			if err != nil && len(sig) > 0 && (strings.Contains(err.Error(), sig) || strings.Contains(err.Error(), "ServiceId")) {
				t.Errorf("%s: the error quotes the token: %v", tt.name, err)
			}
		}
	}
}

func TestEachTokenHasOneSpelling(t *testing.T) {
	// A last character whose unused bits are set decodes to the same bytes with a
	// lax decoder. A cache or a revocation list by text would miss such a twin.
	token := mint(t, rsaKey(), claimsAt(start))
	v := payloadVerifier(bothKeys(), 0)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	for i := range alphabet {
		twin := token[:len(token)-1] + alphabet[i:i+1]
		if _, err := v.Verify(twin); (err == nil) != (i == last) {
			t.Errorf("last character %c instead of %c: %v", alphabet[i], alphabet[last], err)
		}
	}
}

func TestASN1SignaturesAreNotJWSSignatures(t *testing.T) {
	header := `{"kid":"` + ecKey().ID + `","alg":"ES256"}`
	token := sign(t, ecKey(), header, claimsAt(start))
	input, raw := token[:strings.LastIndex(token, ".")], token[strings.LastIndex(token, ".")+1:]
	sig, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil || len(sig) != 64 {
		t.Fatalf("%d bytes, %v", len(sig), err)
	}
	v := payloadVerifier(bothKeys(), 0)
	for name, bad := range map[string][]byte{
		"longer": append([]byte{0}, sig...), "shorter": sig[1:], "halves swapped": append(append([]byte{}, sig[32:]...), sig[:32]...),
		"r is zero": append(make([]byte, 32), sig[32:]...), "s is zero": append(append([]byte{}, sig[:32]...), make([]byte, 32)...),
	} {
		if _, err := v.Verify(input + "." + base64.RawURLEncoding.EncodeToString(bad)); !errors.Is(err, signing.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOtherHeaderMembersDoNotMatter(t *testing.T) {
	// Kubernetes and other issuers send typ; it and unknown members are allowed.
	v := payloadVerifier(bothKeys(), 0)
	for _, header := range []string{
		`{"alg":"RS256","kid":"` + rsaKey().ID + `","typ":"JWT"}`,
		` { "alg" : "RS256", "kid" : "` + rsaKey().ID + `", "x5t":"abc", "deep":{"alg":"none"} } `,
	} {
		if _, err := v.Verify(sign(t, rsaKey(), header, claimsAt(start))); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
}

func TestClaimsThatTheVerifierJudges(t *testing.T) {
	now := start.Unix()
	tests := []struct {
		name, claims string
		want         error
	}{
		{"all right", fmt.Sprintf(`{"iss":"%s","iat":%d,"exp":%d}`, issuer, now, now+3600), nil},
		{"other accepted issuer", fmt.Sprintf(`{"iss":"https://old.example.com","iat":%d,"exp":%d}`, now, now+3600), nil},
		{"no iat", fmt.Sprintf(`{"iss":"%s","exp":%d}`, issuer, now+3600), nil},
		{"times with fractions", fmt.Sprintf(`{"iss":"%s","iat":%d.7,"exp":%d.25}`, issuer, now, now+1), nil},
		{"just expired, within the leeway", fmt.Sprintf(`{"iss":"%s","exp":%d}`, issuer, now-29), nil},
		{"expired beyond the leeway", fmt.Sprintf(`{"iss":"%s","exp":%d}`, issuer, now-30), signing.ErrExpired},
		{"expired long ago", fmt.Sprintf(`{"iss":"%s","exp":0}`, issuer), signing.ErrExpired},
		{"issued within the leeway", fmt.Sprintf(`{"iss":"%s","iat":%d,"exp":%d}`, issuer, now+30, now+3600), nil},
		{"issued in the future", fmt.Sprintf(`{"iss":"%s","iat":%d,"exp":%d}`, issuer, now+31, now+3600), signing.ErrNotYetValid},
		{"nbf in the future", fmt.Sprintf(`{"iss":"%s","iat":%d,"nbf":%d,"exp":%d}`, issuer, now, now+31, now+3600), signing.ErrNotYetValid},
		{"other issuer", fmt.Sprintf(`{"iss":"https://evil.example.com","exp":%d}`, now+3600), signing.ErrIssuer},
		{"issuer with a slash more", fmt.Sprintf(`{"iss":"%s/","exp":%d}`, issuer, now+3600), signing.ErrIssuer},
		{"no issuer", fmt.Sprintf(`{"exp":%d}`, now+3600), signing.ErrIssuer},
		{"issuer is a list", fmt.Sprintf(`{"iss":["%s"],"exp":%d}`, issuer, now+3600), signing.ErrMalformed},
		{"no exp", fmt.Sprintf(`{"iss":"%s"}`, issuer), signing.ErrMalformed},
		{"exp is null", fmt.Sprintf(`{"iss":"%s","exp":null}`, issuer), signing.ErrMalformed},
		{"exp is a string", fmt.Sprintf(`{"iss":"%s","exp":"%d"}`, issuer, now+3600), signing.ErrMalformed},
		{"exp is negative", fmt.Sprintf(`{"iss":"%s","exp":-1}`, issuer), signing.ErrMalformed},
		{"exp overflows", fmt.Sprintf(`{"iss":"%s","exp":9223372036854775807}`, issuer), signing.ErrMalformed},
		{"exp is huge", fmt.Sprintf(`{"iss":"%s","exp":1e400}`, issuer), signing.ErrMalformed},
		{"payload is an array", `[1]`, signing.ErrMalformed},
		{"payload is a string", `"exp"`, signing.ErrMalformed},
		{"payload is null", `null`, signing.ErrMalformed},
		{"payload is cut off", `{"exp":1`, signing.ErrMalformed},
		{"payload has data behind", fmt.Sprintf(`{"iss":"%s","exp":%d}{}`, issuer, now+3600), signing.ErrMalformed},
	}
	v := signing.NewVerifier(signing.VerifierOptions[json.RawMessage]{
		Keys: bothKeys(), Issuers: []string{issuer, "https://old.example.com"}, Leeway: 30 * time.Second,
		Now: func() time.Time { return start }, Decode: payload,
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := v.Verify(mint(t, ecKey(), tt.claims)); !errors.Is(err, tt.want) || (got == nil) == (tt.want == nil) {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestDecodeErrorsRefuseTheToken(t *testing.T) {
	wrong := errors.New("no account")
	v := signing.NewVerifier(signing.VerifierOptions[int]{
		Keys: bothKeys(), CacheSize: 4, Now: func() time.Time { return start },
		Decode: func([]byte) (int, error) { return 0, wrong },
	})
	for range 2 {
		if _, err := v.Verify(mint(t, ecKey(), claimsAt(start))); !errors.Is(err, wrong) {
			t.Errorf("got %v", err)
		}
	}
}

func TestVerifierNeedsItsOptions(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a verifier without a clock is made")
		}
	}()
	signing.NewVerifier(signing.VerifierOptions[json.RawMessage]{Keys: bothKeys(), Decode: payload})
}

func TestCachedTokensAreSafeUnderConcurrency(t *testing.T) {
	v := payloadVerifier(bothKeys(), 4) // smaller than the number of tokens
	var tokens []string
	for i := range 12 {
		tokens = append(tokens, mint(t, ecKey(), fmt.Sprintf(`{"exp":1800000000,"n":%d}`, i)))
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for round := range 40 {
				i := (worker + round) % len(tokens)
				got, err := v.Verify(tokens[i])
				if want := fmt.Sprintf(`{"exp":1800000000,"n":%d}`, i); err != nil || string(got.Claims) != want {
					t.Errorf("token %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func FuzzVerify(f *testing.F) {
	genuine := mint(f, ecKey(), claimsAt(start))
	input := genuine[:strings.LastIndex(genuine, ".")]
	f.Add(genuine)
	f.Add(encode(`{"alg":"none","kid":"202611220241"}`) + "." + encode(`{"exp":1}`) + ".")
	f.Add("..")
	v := payloadVerifier(setOf(ecKey()), 16)
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := v.Verify(token); err == nil && !strings.HasPrefix(token, input+".") {
			t.Errorf("a token that nobody signed is accepted: %s", token)
		}
	})
}

// FuzzSignedClaims gives the payload parser what only a holder of the key could
// send, as a compute resource's issuer can.
func FuzzSignedClaims(f *testing.F) {
	f.Add(claimsAt(start))
	f.Add(`{"exp":1e3,"iat":null,"iss":{}}`)
	v := payloadVerifier(setOf(ecKey()), 0)
	minter := newMinter(f, ecKey(), signing.EngineGo)
	f.Fuzz(func(t *testing.T, claims string) {
		token, err := minter.Compact(t.Context(), []byte(claims))
		if err != nil {
			return
		}
		got, err := v.Verify(token)
		if err == nil && !json.Valid(got.Claims) {
			t.Errorf("accepted %q", claims)
		}
	})
}
