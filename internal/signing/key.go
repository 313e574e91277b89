package signing

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DefaultRSABits is the size of new RSA keys. 3072 bits cost 2.75 times, 4096
// bits 5.5 times as much per token (our measurement), and IBM's keys have 2048.
const DefaultRSABits = 2048

// rsaExponent is the only public exponent accepted; every current generator
// uses it, and small exponents have a history of broken verifiers.
const rsaExponent = 65537

// maxPKCS8 bounds what ParseKey reads: an RSA-4096 key has about 2,400 bytes.
const maxPKCS8 = 8 << 10

// Key is a private signing key with its name. It is immutable and safe for
// concurrent use; printing it shows id and algorithm only.
type Key struct {
	// ID is the kid: the minute of creation, see NewKeyID.
	ID        string
	Algorithm Algorithm
	private   crypto.Signer
}

// NewKeyID returns the kid of a key made now: yyyymmddHHMM in UTC, the form of
// IBM's kids, followed by -2, -3 … while taken reports that the kid is in use.
func NewKeyID(now time.Time, taken func(kid string) bool) string {
	minute := now.UTC().Format("200601021504")
	id := minute
	for n := 2; taken != nil && taken(id); n++ {
		id = minute + "-" + strconv.Itoa(n)
	}
	return id
}

// GenerateKey makes a key. bits is the size of an RSA key (0: DefaultRSABits;
// 2048, 3072 or 4096) and ignored for ES256. RSA-2048 takes 50 to 180 ms, so
// call it off the request path. Randomness is the system's: Go's key generators
// take no other source.
func GenerateKey(alg Algorithm, bits int, id string) (*Key, error) {
	if err := checkKeyID(id); err != nil {
		return nil, fmt.Errorf("generating a signing key: %w", err)
	}
	var private crypto.Signer
	var err error
	switch alg {
	case RS256:
		if bits == 0 {
			bits = DefaultRSABits
		}
		if !acceptableRSABits(bits) {
			return nil, fmt.Errorf("generating a signing key: %w: RSA of %d bits is not one of 2048, 3072, 4096", ErrKey, bits)
		}
		private, err = rsa.GenerateKey(rand.Reader, bits)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		return nil, fmt.Errorf("generating a signing key: %w: %q", ErrAlgorithm, alg)
	}
	if err != nil {
		return nil, fmt.Errorf("generating a signing key: %w", err)
	}
	return &Key{ID: id, Algorithm: alg, private: private}, nil
}

// ParseKey reads a private key in PKCS #8 DER as MarshalPKCS8 writes it. The
// algorithm follows from the key type. It refuses, with ErrKey, anything but
// RSA of 2048, 3072 or 4096 bits with two primes and exponent 65537, and ECDSA
// over P-256.
func ParseKey(id string, der []byte) (*Key, error) {
	if err := checkKeyID(id); err != nil {
		return nil, fmt.Errorf("parsing a signing key: %w", err)
	}
	if len(der) > maxPKCS8 {
		return nil, fmt.Errorf("parsing a signing key: %w: %d bytes are too long", ErrKey, len(der))
	}
	// The parser overlooks bytes behind the key.
	var element cryptobyte.String
	if rest := cryptobyte.String(der); !rest.ReadASN1(&element, asn1.SEQUENCE) || !rest.Empty() {
		return nil, fmt.Errorf("parsing a signing key: %w: not a PKCS #8 private key", ErrKey)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		// The parser's text may name values of the key; it stays out.
		return nil, fmt.Errorf("parsing a signing key: %w: not a PKCS #8 private key", ErrKey)
	}
	key := &Key{ID: id}
	switch private := parsed.(type) {
	case *rsa.PrivateKey:
		if len(private.Primes) != 2 {
			return nil, fmt.Errorf("parsing a signing key: %w: RSA with %d primes", ErrKey, len(private.Primes))
		}
		key.private = private
	case *ecdsa.PrivateKey:
		key.private = private
	default:
		return nil, fmt.Errorf("parsing a signing key: %w: neither RSA nor ECDSA", ErrKey)
	}
	if key.Algorithm, err = algorithmOf(key.private.Public()); err != nil {
		return nil, fmt.Errorf("parsing a signing key: %w", err)
	}
	return key, nil
}

// MarshalPKCS8 returns the private key in PKCS #8 DER, to be sealed at once.
func (k *Key) MarshalPKCS8() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("marshalling signing key %s: %w", k.ID, err)
	}
	return der, nil
}

// Public returns the public half.
func (k *Key) Public() *PublicKey {
	return &PublicKey{ID: k.ID, Algorithm: k.Algorithm, key: k.private.Public()}
}

// String names the key; it never shows key material.
func (k *Key) String() string { return "signing key " + k.ID + " (" + string(k.Algorithm) + ")" }

// LogValue makes log/slog write what String says.
func (k *Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// PublicKey is a key that verifies. It is immutable and safe for concurrent
// use.
type PublicKey struct {
	ID        string
	Algorithm Algorithm
	key       crypto.PublicKey
}

// NewPublicKey wraps an RSA or P-256 public key, under the same limits as
// ParseKey.
func NewPublicKey(id string, key crypto.PublicKey) (*PublicKey, error) {
	if err := checkKeyID(id); err != nil {
		return nil, fmt.Errorf("reading a public key: %w", err)
	}
	alg, err := algorithmOf(key)
	if err != nil {
		return nil, fmt.Errorf("reading public key %s: %w", id, err)
	}
	return &PublicKey{ID: id, Algorithm: alg, key: key}, nil
}

// ParsePublicKey reads a public key in PKIX DER as MarshalPKIX writes it.
func ParsePublicKey(id string, der []byte) (*PublicKey, error) {
	if len(der) > maxPKCS8 {
		return nil, fmt.Errorf("reading a public key: %w: %d bytes are too long", ErrKey, len(der))
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, fmt.Errorf("reading a public key: %w: %w", ErrKey, err)
	}
	return NewPublicKey(id, key)
}

// MarshalPKIX returns the key in PKIX DER.
func (k *PublicKey) MarshalPKIX() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return nil, fmt.Errorf("marshalling public key %s: %w", k.ID, err)
	}
	return der, nil
}

// Equal reports whether both have the same id, algorithm and key.
func (k *PublicKey) Equal(other *PublicKey) bool {
	if k.ID != other.ID || k.Algorithm != other.Algorithm {
		return false
	}
	a, errA := k.MarshalPKIX()
	b, errB := other.MarshalPKIX()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func algorithmOf(key crypto.PublicKey) (Algorithm, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key.N == nil || !acceptableRSABits(key.N.BitLen()) {
			return "", fmt.Errorf("%w: the RSA modulus has not 2048, 3072 or 4096 bits", ErrKey)
		}
		if key.E != rsaExponent {
			return "", fmt.Errorf("%w: the RSA exponent is not %d", ErrKey, rsaExponent)
		}
		return RS256, nil
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", fmt.Errorf("%w: the curve is not P-256", ErrKey)
		}
		if _, err := key.Bytes(); err != nil {
			return "", fmt.Errorf("%w: the point is not on the curve", ErrKey)
		}
		return ES256, nil
	}
	return "", fmt.Errorf("%w: neither RSA nor ECDSA", ErrKey)
}

func acceptableRSABits(bits int) bool { return bits == 2048 || bits == 3072 || bits == 4096 }

// maxKeyID bounds a kid. Kubernetes issuers use 43 characters.
const maxKeyID = 128

// checkKeyID accepts kids that stand in a JWS header without escapes.
func checkKeyID(id string) error {
	if id == "" || len(id) > maxKeyID {
		return fmt.Errorf("%w: the key id has %d characters, 1 to %d are allowed", ErrKey, len(id), maxKeyID)
	}
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return fmt.Errorf("%w: the key id has a character that is not allowed", ErrKey)
		}
	}
	return nil
}
