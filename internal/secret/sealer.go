package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Purpose says what a key is for. Each purpose has its own subkey, so a value
// sealed or hashed for one is useless for another. Purposes are constants of
// the program, never a caller's input.
type Purpose string

// The purposes in use. A text is part of what is stored: changing one makes
// everything sealed or hashed under it unreadable.
const (
	PurposePepper       Purpose = "pepper"
	PurposeSigningKey   Purpose = "signing-key"
	PurposeAPIKey       Purpose = "api-key"
	PurposeRefreshToken Purpose = "refresh-token"
	PurposePasscode     Purpose = "passcode"
	PurposeIdentityProv Purpose = "identity-provider"
)

// Why Open refuses. Callers branch on ErrUnknownKey (a master key is missing in
// the configuration); the other two mean damage or tampering.
var (
	ErrSealFormat = errors.New("not a sealed value")
	ErrUnknownKey = errors.New("sealed under a master key that is not configured")
	ErrTampered   = errors.New("sealed value does not open: changed, moved, or of another purpose")
)

// A sealed value is: format byte, key id, nonce, AES-256-GCM ciphertext with
// its tag. Readers refuse formats that they do not know, so a later cipher gets
// the next number and both stay readable.
const (
	sealFormat  = 1
	keyIDSize   = 8
	nonceSize   = 12
	tagSize     = 16
	headerSize  = 1 + keyIDSize
	minSealed   = headerSize + nonceSize + tagSize
	maxPlain    = 1 << 20
	maxObjectID = 1 << 10
)

// Sealer encrypts values that must be readable again. The first master key
// seals; the others still open, so a master key is changed by putting the new
// one first, resealing what NeedsReseal reports, then dropping the old one.
//
// Nonces are random, so one master key may seal 2^32 values per purpose before
// the chance of a repeated nonce reaches 2^-32 (NIST SP 800-38D section 8.3).
// Safe for concurrent use.
type Sealer struct {
	rand io.Reader
	keys []sealKey
}

type sealKey struct {
	id     [keyIDSize]byte
	master MasterKey
	// aeads caches one cipher.AEAD per Purpose; purposes are constants, so it
	// stays small.
	aeads *sync.Map
}

// NewSealer returns a sealer over the given master keys, the sealing one first.
// A nil reader means crypto/rand. Zero and repeated keys are refused.
func NewSealer(random io.Reader, keys ...MasterKey) (*Sealer, error) {
	if random == nil {
		random = rand.Reader
	}
	if len(keys) == 0 {
		return nil, errors.New("making a sealer: no master key given")
	}
	s := &Sealer{rand: random}
	for i, key := range keys {
		if key.IsZero() {
			return nil, fmt.Errorf("making a sealer: master key %d is not set", i+1)
		}
		id := key.id()
		if s.find(id[:]) != nil {
			return nil, fmt.Errorf("making a sealer: master key %d (id %s) is given twice", i+1, key.ID())
		}
		s.keys = append(s.keys, sealKey{id: id, master: key, aeads: &sync.Map{}})
	}
	return s, nil
}

// Seal encrypts plaintext of at most 1 MiB. Purpose and objectID are bound to
// the result: Open must be given the same, so a sealed value copied to another
// row does not open there.
func (s *Sealer) Seal(purpose Purpose, objectID string, plaintext []byte) ([]byte, error) {
	if purpose == "" || objectID == "" || len(objectID) > maxObjectID {
		return nil, errors.New("sealing a value: purpose and object id are needed")
	}
	if len(plaintext) > maxPlain {
		return nil, fmt.Errorf("sealing a value: %d bytes are over the limit of %d", len(plaintext), maxPlain)
	}
	key := &s.keys[0]
	aead, err := key.aead(purpose)
	if err != nil {
		return nil, fmt.Errorf("sealing a value: %w", err)
	}
	sealed := make([]byte, headerSize+nonceSize, minSealed+len(plaintext))
	sealed[0] = sealFormat
	copy(sealed[1:], key.id[:])
	nonce := sealed[headerSize:]
	if _, err := io.ReadFull(s.rand, nonce); err != nil {
		return nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	return aead.Seal(sealed, nonce, plaintext, additionalData(sealed[:headerSize], purpose, objectID)), nil
}

// Open decrypts what Seal made. It fails with ErrSealFormat, ErrUnknownKey or
// ErrTampered.
func (s *Sealer) Open(purpose Purpose, objectID string, sealed []byte) ([]byte, error) {
	key, err := s.keyOf(sealed)
	if err != nil {
		return nil, fmt.Errorf("opening a sealed value: %w", err)
	}
	aead, err := key.aead(purpose)
	if err != nil {
		return nil, fmt.Errorf("opening a sealed value: %w", err)
	}
	nonce, text := sealed[headerSize:headerSize+nonceSize], sealed[headerSize+nonceSize:]
	plain, err := aead.Open(nil, nonce, text, additionalData(sealed[:headerSize], purpose, objectID))
	if err != nil {
		// The cause says no more than "authentication failed".
		return nil, fmt.Errorf("opening a sealed value: %w", ErrTampered)
	}
	return plain, nil
}

// SealValue is Seal for a secret string.
func (s *Sealer) SealValue(purpose Purpose, objectID string, v Value) ([]byte, error) {
	return s.Seal(purpose, objectID, []byte(v.Reveal()))
}

// OpenValue is Open for a secret string.
func (s *Sealer) OpenValue(purpose Purpose, objectID string, sealed []byte) (Value, error) {
	plain, err := s.Open(purpose, objectID, sealed)
	if err != nil {
		return Value{}, err
	}
	return New(string(plain)), nil
}

// NeedsReseal reports whether the value was sealed under another key than the
// one that seals now. It is false for what no key here opens.
func (s *Sealer) NeedsReseal(sealed []byte) bool {
	key, err := s.keyOf(sealed)
	return err == nil && key != &s.keys[0]
}

// Reseal opens a value and seals it under the first master key.
func (s *Sealer) Reseal(purpose Purpose, objectID string, sealed []byte) ([]byte, error) {
	plain, err := s.Open(purpose, objectID, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return s.Seal(purpose, objectID, plain)
}

// KeyID names the master key that seals, as MasterKey.ID does.
func (s *Sealer) KeyID() string { return hex.EncodeToString(s.keys[0].id[:]) }

// keyOf checks the header and finds the key that it names.
func (s *Sealer) keyOf(sealed []byte) (*sealKey, error) {
	if len(sealed) < minSealed || sealed[0] != sealFormat {
		return nil, ErrSealFormat
	}
	key := s.find(sealed[1:headerSize])
	if key == nil {
		return nil, fmt.Errorf("%w (key id %x)", ErrUnknownKey, sealed[1:headerSize])
	}
	return key, nil
}

func (s *Sealer) find(id []byte) *sealKey {
	for i := range s.keys {
		if bytes.Equal(s.keys[i].id[:], id) {
			return &s.keys[i]
		}
	}
	return nil
}

func (k *sealKey) aead(purpose Purpose) (cipher.AEAD, error) {
	if cached, ok := k.aeads.Load(purpose); ok {
		return cached.(cipher.AEAD), nil
	}
	block, err := aes.NewCipher(k.master.derive("kagiban/seal/"+string(purpose), 32))
	if err != nil {
		return nil, fmt.Errorf("making the cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making the cipher: %w", err)
	}
	cached, _ := k.aeads.LoadOrStore(purpose, aead)
	return cached.(cipher.AEAD), nil
}

// additionalData binds header, purpose and object id. The length in front of
// the purpose keeps ("a", "bc") and ("ab", "c") apart.
func additionalData(header []byte, purpose Purpose, objectID string) []byte {
	data := make([]byte, 0, len(header)+4+len(purpose)+len(objectID))
	data = append(data, header...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(purpose)))
	data = append(data, purpose...)
	return append(data, objectID...)
}
