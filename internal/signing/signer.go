package signing

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Signer signs with one private key. Implementations are safe for concurrent
// use and keep the parsed native key for as long as they live.
type Signer interface {
	// Sign signs a SHA-256 digest and returns the signature in JWS form: PKCS #1
	// v1.5 for RS256, the 64 bytes r||s for ES256 (RFC 7518 sections 3.3, 3.4).
	Sign(digest []byte) ([]byte, error)
	// Algorithm is that of the key.
	Algorithm() Algorithm
	// Engine says which implementation computes: "go" or "openssl 3.0.19".
	Engine() string
}

// Engine is the choice of implementation in configuration.
type Engine string

// The choices.
const (
	// EngineAuto takes OpenSSL where it can be loaded and Go otherwise.
	EngineAuto Engine = "auto"
	// EngineGo takes Go's standard library.
	EngineGo Engine = "go"
	// EngineOpenSSL insists on OpenSSL.
	EngineOpenSSL Engine = "openssl"
)

// ErrNoOpenSSL says why OpenSSL is not used.
var ErrNoOpenSSL = errors.New("OpenSSL is not available")

// ParseEngine reads the configured choice; empty means auto.
func ParseEngine(name string) (Engine, error) {
	switch engine := Engine(name); engine {
	case "":
		return EngineAuto, nil
	case EngineAuto, EngineGo, EngineOpenSSL:
		return engine, nil
	}
	return "", fmt.Errorf("%q is not one of auto, go, openssl", name)
}

// Check reports whether the engine can be used in this process, so that a
// configuration which insists on OpenSSL fails at start. It loads libcrypto on
// first use.
func (e Engine) Check() error {
	if e != EngineOpenSSL {
		return nil
	}
	_, err := openSSLVersion()
	return err
}

// NewSigner returns a signer for the key. EngineAuto never fails for want of
// OpenSSL: whatever goes wrong with the library, the Go signer is returned.
// EngineOpenSSL fails with ErrNoOpenSSL instead.
func NewSigner(key *Key, engine Engine) (Signer, error) {
	switch engine {
	case EngineGo:
		return newGoSigner(key)
	case EngineOpenSSL:
		return newCheckedOpenSSLSigner(key)
	case EngineAuto, "":
		if signer, err := newCheckedOpenSSLSigner(key); err == nil {
			return signer, nil
		}
		return newGoSigner(key)
	}
	return nil, fmt.Errorf("making a signer: unknown engine %q", engine)
}

// newCheckedOpenSSLSigner makes an OpenSSL signer and has it sign once: a
// library with a broken provider configuration loads well and fails, or worse,
// only when it is used.
func newCheckedOpenSSLSigner(key *Key) (Signer, error) {
	signer, err := newOpenSSLSigner(key)
	if err != nil {
		return nil, fmt.Errorf("making an OpenSSL signer: %w", err)
	}
	digest := sha256.Sum256([]byte("kagiban signer self-test"))
	sig, err := signer.Sign(digest[:])
	if err != nil {
		return nil, fmt.Errorf("testing the OpenSSL signer: %w", err)
	}
	if !key.Public().verify(digest[:], sig) {
		return nil, fmt.Errorf("testing the OpenSSL signer: %w", ErrSignature)
	}
	return signer, nil
}

// goRSA signs with crypto/rsa.
type goRSA struct{ key *rsa.PrivateKey }

// goECDSA signs with crypto/ecdsa.
type goECDSA struct{ key *ecdsa.PrivateKey }

var (
	_ Signer = goRSA{}
	_ Signer = goECDSA{}
)

func newGoSigner(key *Key) (Signer, error) {
	switch private := key.private.(type) {
	case *rsa.PrivateKey:
		return goRSA{private}, nil
	case *ecdsa.PrivateKey:
		return goECDSA{private}, nil
	}
	return nil, fmt.Errorf("making a signer: %w: %T", ErrKey, key.private)
}

func (goRSA) Algorithm() Algorithm   { return RS256 }
func (goRSA) Engine() string         { return "go" }
func (goECDSA) Algorithm() Algorithm { return ES256 }
func (goECDSA) Engine() string       { return "go" }

func (s goRSA) Sign(digest []byte) ([]byte, error) {
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	sig, err := rsa.SignPKCS1v15(nil, s.key, crypto.SHA256, digest)
	if err != nil {
		return nil, fmt.Errorf("signing with RSA: %w", err)
	}
	return sig, nil
}

func (s goECDSA) Sign(digest []byte) ([]byte, error) {
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	der, err := ecdsa.SignASN1(rand.Reader, s.key, digest)
	if err != nil {
		return nil, fmt.Errorf("signing with ECDSA: %w", err)
	}
	return rawSignature(der)
}

func checkDigest(digest []byte) error {
	if len(digest) != sha256.Size {
		return fmt.Errorf("signing: the digest has %d bytes, SHA-256 has %d", len(digest), sha256.Size)
	}
	return nil
}

// es256Size is the length of an ES256 signature, es256Half that of r and of s.
const (
	es256Half = 32
	es256Size = 2 * es256Half
)

// rawSignature turns the ASN.1 form of an ECDSA signature into r||s.
func rawSignature(der []byte) ([]byte, error) {
	var r, s []byte
	var inner cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&inner, asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() ||
		len(r) > es256Half || len(s) > es256Half {
		return nil, errors.New("signing with ECDSA: the signature has an unexpected form")
	}
	raw := make([]byte, es256Size)
	copy(raw[es256Half-len(r):es256Half], r)
	copy(raw[es256Size-len(s):], s)
	return raw, nil
}

// derSignature is the inverse of rawSignature for 64 bytes.
func derSignature(raw []byte) ([]byte, error) {
	b := cryptobyte.NewFixedBuilder(make([]byte, 0, es256Size+8))
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		addUnsigned(b, raw[:es256Half])
		addUnsigned(b, raw[es256Half:])
	})
	return b.Bytes()
}

// addUnsigned writes big-endian bytes as an ASN.1 INTEGER.
func addUnsigned(b *cryptobyte.Builder, number []byte) {
	for len(number) > 1 && number[0] == 0 {
		number = number[1:]
	}
	b.AddASN1(asn1.INTEGER, func(b *cryptobyte.Builder) {
		if number[0]&0x80 != 0 {
			b.AddUint8(0)
		}
		b.AddBytes(number)
	})
}

// verify reports whether sig, in JWS form, is the key's signature of a SHA-256
// digest.
func (k *PublicKey) verify(digest, sig []byte) bool {
	switch key := k.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, sig) == nil
	case *ecdsa.PublicKey:
		if len(sig) != es256Size {
			return false
		}
		der, err := derSignature(sig)
		return err == nil && ecdsa.VerifyASN1(key, digest, der)
	}
	return false
}
