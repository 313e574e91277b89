package secret

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// MasterKeySize is the length in bytes of a master key.
const MasterKeySize = 32

// MasterKey is the root of all sealing: 32 secret bytes that come from a file,
// the environment or a key service, never from the database. It prints as
// redacted; the zero MasterKey is invalid.
type MasterKey struct {
	bytes *[MasterKeySize]byte
}

// GenerateMasterKey draws a new master key.
func GenerateMasterKey(rand io.Reader) (MasterKey, error) {
	var b [MasterKeySize]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return MasterKey{}, fmt.Errorf("drawing a master key: %w", err)
	}
	return MasterKey{bytes: &b}, nil
}

// ParseMasterKey reads a master key written as 64 hex digits or as base64
// (standard or URL alphabet, with or without padding). White space around it is
// ignored, so that a key file may end in a newline. Errors say what is wrong
// with the text and never quote it.
func ParseMasterKey(text string) (MasterKey, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return MasterKey{}, errors.New("parsing the master key: it is empty")
	}
	raw, err := decodeMasterKey(text)
	if err != nil {
		return MasterKey{}, fmt.Errorf("parsing the master key: %w", err)
	}
	if strings.Count(string(raw), string(raw[:1])) == len(raw) {
		return MasterKey{}, errors.New("parsing the master key: all its bytes are equal, so it is no random key")
	}
	var b [MasterKeySize]byte
	copy(b[:], raw)
	return MasterKey{bytes: &b}, nil
}

func decodeMasterKey(text string) ([]byte, error) {
	const want = "32 bytes are needed, as 64 hex digits or 44 base64 characters"
	switch len(text) {
	case hex.EncodedLen(MasterKeySize):
		raw, err := hex.DecodeString(text)
		if err != nil {
			return nil, errors.New("it has 64 characters but not all are hex digits; " + want)
		}
		return raw, nil
	case base64.RawStdEncoding.EncodedLen(MasterKeySize), base64.StdEncoding.EncodedLen(MasterKeySize):
		encoding := base64.RawStdEncoding
		if strings.ContainsAny(text, "-_") {
			encoding = base64.RawURLEncoding
		}
		raw, err := encoding.Strict().DecodeString(strings.TrimSuffix(text, "="))
		if err != nil || len(raw) != MasterKeySize {
			return nil, errors.New("it is not valid base64 of 32 bytes; " + want)
		}
		return raw, nil
	}
	return nil, fmt.Errorf("it has %d characters; %s", len(text), want)
}

// IsZero reports whether the key was never set.
func (k MasterKey) IsZero() bool { return k.bytes == nil }

// Reveal returns the key in padded base64, the form that ParseMasterKey reads
// back; for writing a new key file.
func (k MasterKey) Reveal() string {
	if k.bytes == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(k.bytes[:])
}

// ID names the key without giving it away: 16 hex digits derived from it, the
// same on every node. The zero key has none.
func (k MasterKey) ID() string {
	if k.bytes == nil {
		return ""
	}
	id := k.id()
	return hex.EncodeToString(id[:])
}

func (k MasterKey) id() (id [keyIDSize]byte) {
	copy(id[:], k.derive("kagiban/key-id", keyIDSize))
	return id
}

// derive returns an HKDF-SHA-256 subkey. The lengths in use are far below what
// HKDF can give, so an error is a programming fault.
func (k MasterKey) derive(info string, size int) []byte {
	key, err := hkdf.Key(sha256.New, k.bytes[:], nil, info, size)
	if err != nil {
		panic(fmt.Sprintf("deriving a key of %d bytes: %v", size, err))
	}
	return key
}

// String returns the redaction mark.
func (MasterKey) String() string { return Redacted }

// GoString returns the redaction mark.
func (MasterKey) GoString() string { return Redacted }

// Format writes the redaction mark for every verb.
func (MasterKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Redacted) }

// LogValue makes log/slog write the redaction mark.
func (MasterKey) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText encodes the redaction mark, for JSON and YAML alike.
func (MasterKey) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
