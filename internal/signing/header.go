package signing

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// parts are the pieces of a compact JWS that passed the structural checks.
type parts struct {
	kid     string
	alg     Algorithm
	signed  string // header and payload as they were signed
	payload []byte
	sig     []byte
}

// forbiddenHeaders change how a token is to be verified, or bring their own
// key. Tokens of our issuers and of compute resources have none of them.
var forbiddenHeaders = map[string]bool{
	"crit": true, "jwk": true, "jku": true, "x5u": true, "x5c": true,
	"b64": true, "enc": true, "zip": true, "epk": true,
}

// split takes a compact JWS apart without judging its signature. It accepts one
// spelling of each token only: three parts, canonical base64url.
func split(token string) (parts, error) {
	if len(token) > MaxTokenLength {
		return parts{}, fmt.Errorf("%w: longer than %d bytes", ErrMalformed, MaxTokenLength)
	}
	head, rest, ok := strings.Cut(token, ".")
	body, tail, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(tail, ".") {
		return parts{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	header, err := decodePart(head, "header")
	if err != nil {
		return parts{}, err
	}
	p := parts{signed: token[:len(head)+1+len(body)]}
	if p.kid, p.alg, err = parseHeader(header); err != nil {
		return parts{}, err
	}
	if p.payload, err = decodePart(body, "payload"); err != nil {
		return parts{}, err
	}
	if p.sig, err = decodePart(tail, "signature"); err != nil {
		return parts{}, err
	}
	return p, nil
}

// decodePart decodes canonical, unpadded base64url. The line breaks that the
// library's decoder skips are refused, as they would give one token many
// spellings.
func decodePart(text, what string) ([]byte, error) {
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("%w: the %s is empty or has line breaks", ErrMalformed, what)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the %s is not canonical base64url", ErrMalformed, what)
	}
	return raw, nil
}

// parseHeader reads kid and alg. Member names are compared exactly and may
// occur once, unlike in json.Unmarshal, so that no other reader of the token
// can see another header than we do.
func parseHeader(header []byte) (kid string, alg Algorithm, err error) {
	dec := json.NewDecoder(bytes.NewReader(header))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return "", "", fmt.Errorf("%w: the header is not a JSON object", ErrMalformed)
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return "", "", fmt.Errorf("%w: the header is not valid JSON", ErrMalformed)
		}
		if seen[name] || forbiddenHeaders[name] {
			return "", "", fmt.Errorf("%w: a header member is repeated or not allowed", ErrMalformed)
		}
		seen[name] = true
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return "", "", fmt.Errorf("%w: the header is not valid JSON", ErrMalformed)
		}
		if name != "kid" && name != "alg" && name != "typ" {
			continue
		}
		var text string
		if err := json.Unmarshal(value, &text); err != nil || value[0] != '"' {
			return "", "", fmt.Errorf("%w: %s is not a string", ErrMalformed, name)
		}
		switch name {
		case "kid":
			kid = text
		case "alg":
			alg = Algorithm(text)
		}
	}
	if _, err := dec.Token(); err != nil {
		return "", "", fmt.Errorf("%w: the header is not valid JSON", ErrMalformed)
	}
	if _, err := dec.Token(); err != io.EOF {
		return "", "", fmt.Errorf("%w: data after the header", ErrMalformed)
	}
	if alg != RS256 && alg != ES256 {
		return "", "", fmt.Errorf("%w: the token's is neither RS256 nor ES256", ErrAlgorithm)
	}
	if kid == "" {
		return "", "", fmt.Errorf("%w: the token has no kid", ErrMalformed)
	}
	return kid, alg, nil
}
