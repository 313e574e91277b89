package secret

import (
	"encoding/base64"
	"fmt"
	"io"
)

const (
	// apiKeyBytes gives 264 bits and, in base64url, the 44 characters that IBM
	// Cloud API keys have.
	apiKeyBytes = 33
	// refreshTokenBytes gives 384 bits and 64 characters.
	refreshTokenBytes = 48
	// passcodeLength is the length of the one-time codes that IBM's login page
	// shows, with about 59 bits in the alphabet below: enough for a code that
	// lives minutes, works once and is rate limited.
	passcodeLength = 10
)

const base62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// NewAPIKey draws an API key: 44 characters of the URL-safe base64 alphabet.
func NewAPIKey(rand io.Reader) (Value, error) {
	return opaque(rand, apiKeyBytes, "an API key")
}

// NewRefreshToken draws a refresh token: 64 characters of the URL-safe base64
// alphabet.
func NewRefreshToken(rand io.Reader) (Value, error) {
	return opaque(rand, refreshTokenBytes, "a refresh token")
}

// NewPasscode draws a one-time passcode: 10 letters and digits, each equally
// likely, without characters that a double click or a shell would split at.
func NewPasscode(rand io.Reader) (Value, error) {
	// Bytes of 248 and above are dropped: 248 is the largest multiple of 62 in a
	// byte, so the rest maps to the alphabet without bias.
	const limit = 256 - 256%len(base62)
	code := make([]byte, 0, passcodeLength)
	buf := make([]byte, 2*passcodeLength)
	for range 64 {
		if _, err := io.ReadFull(rand, buf); err != nil {
			return Value{}, fmt.Errorf("drawing a passcode: %w", err)
		}
		for _, b := range buf {
			if int(b) < limit && len(code) < passcodeLength {
				code = append(code, base62[int(b)%len(base62)])
			}
		}
		if len(code) == passcodeLength {
			return New(string(code)), nil
		}
	}
	return Value{}, fmt.Errorf("drawing a passcode: the source of randomness repeats one value")
}

func opaque(rand io.Reader, size int, what string) (Value, error) {
	raw := make([]byte, size)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return Value{}, fmt.Errorf("drawing %s: %w", what, err)
	}
	return New(base64.RawURLEncoding.EncodeToString(raw)), nil
}
