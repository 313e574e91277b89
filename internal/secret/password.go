package secret

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Cost is how much work a new password hash is, in one lane.
type Cost struct{ MemoryKiB, Passes uint32 }

var (
	// UsualCost is the OWASP Password Storage Cheat Sheet's first choice for
	// argon2id. One hash costs 42-89 ms of one core here.
	UsualCost = Cost{19 * 1024, 2}
	// LeastCost is the least that is accepted: for tests.
	LeastCost = Cost{minArgonMemoryKiB, 1}
)

const (
	argonLanes    = 1
	argonSaltSize = 16
	argonKeySize  = 32
)

// Bounds of parameters that Verify accepts. A stored hash comes from a backup
// or an import as well as from us, and its parameters decide how much memory
// and time one login takes.
const (
	maxArgonMemoryKiB = 64 * 1024
	minArgonMemoryKiB = 4 * 1024
	maxArgonTime      = 6
	maxArgonLanes     = 4
	maxEncodedHash    = 256
)

// MaxPasswordLength is the longest password in bytes that is hashed or checked.
const MaxPasswordLength = 1024

// Errors of Passwords. A wrong password is not an error.
var (
	ErrPasswordLength = errors.New("a password must have 1 to 1024 bytes")
	ErrPasswordHash   = errors.New("not an acceptable argon2id hash")
)

// Passwords hashes and checks passwords that humans choose, with argon2id. It
// bounds how many run at once, since each takes 19 MiB and a core. Safe for
// concurrent use.
type Passwords struct {
	rand io.Reader
	cost Cost
	// slots holds one element per computation that may run at a time.
	slots chan struct{}
}

// NewPasswords returns a password hasher that takes salts from the reader (nil:
// crypto/rand) and runs at most concurrency computations at a time (0 or less:
// one per core).
func NewPasswords(random io.Reader, concurrency int) *Passwords {
	return NewPasswordsAt(UsualCost, random, concurrency)
}

// NewPasswordsAt is NewPasswords at another cost.
func NewPasswordsAt(cost Cost, random io.Reader, concurrency int) *Passwords {
	if random == nil {
		random = rand.Reader
	}
	if concurrency <= 0 {
		concurrency = runtime.GOMAXPROCS(0)
	}
	return &Passwords{rand: random, cost: cost, slots: make(chan struct{}, concurrency)}
}

// Hash returns the PHC string of a password with a new salt:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash. It fails with ErrPasswordLength, or
// with the context's error when no slot becomes free in time.
func (p *Passwords) Hash(ctx context.Context, password Value) (string, error) {
	if n := len(password.Reveal()); n == 0 || n > MaxPasswordLength {
		return "", fmt.Errorf("hashing a password: %w", ErrPasswordLength)
	}
	salt := make([]byte, argonSaltSize)
	if _, err := io.ReadFull(p.rand, salt); err != nil {
		return "", fmt.Errorf("drawing a salt: %w", err)
	}
	hash := passwordHash{memoryKiB: p.cost.MemoryKiB, time: p.cost.Passes, lanes: argonLanes, salt: salt}
	key, err := p.compute(ctx, &hash, password, argonKeySize)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	hash.key = key
	return hash.String(), nil
}

// Verify reports whether the password belongs to the PHC string, comparing in
// constant time. outdated is true when it does but the string has weaker or
// other parameters than Hash uses, so the caller should store a new hash. It
// fails with ErrPasswordHash for a string that is malformed or asks for
// unreasonable work, and with the context's error.
func (p *Passwords) Verify(ctx context.Context, encoded string, password Value) (ok, outdated bool, err error) {
	hash, err := parsePasswordHash(encoded)
	if err != nil {
		return false, false, fmt.Errorf("verifying a password: %w", err)
	}
	if n := len(password.Reveal()); n == 0 || n > MaxPasswordLength {
		return false, false, nil
	}
	key, err := p.compute(ctx, &hash, password, len(hash.key))
	if err != nil {
		return false, false, fmt.Errorf("verifying a password: %w", err)
	}
	if subtle.ConstantTimeCompare(key, hash.key) != 1 {
		return false, false, nil
	}
	return true, p.outdated(&hash), nil
}

// VerifyNobody does the work of Verify for a user that does not exist, so that
// the time of an answer does not tell which names exist.
func (p *Passwords) VerifyNobody(ctx context.Context, password Value) error {
	if n := len(password.Reveal()); n == 0 || n > MaxPasswordLength {
		return nil
	}
	hash := passwordHash{memoryKiB: p.cost.MemoryKiB, time: p.cost.Passes, lanes: argonLanes, salt: make([]byte, argonSaltSize)}
	if _, err := p.compute(ctx, &hash, password, argonKeySize); err != nil {
		return fmt.Errorf("verifying a password: %w", err)
	}
	return nil
}

func (p *Passwords) compute(ctx context.Context, h *passwordHash, password Value, size int) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	key := argon2.IDKey([]byte(password.Reveal()), h.salt, h.time, h.memoryKiB, h.lanes, uint32(size))
	p.makeUp(h, password)
	return key, nil
}

// makeUp does the work that a hash of weaker parameters has saved, so that the
// time of an answer does not tell whose hash is an old one. Time goes with
// memory times passes.
func (p *Passwords) makeUp(h *passwordHash, password Value) {
	const least = 8 // KiB for each lane
	done, whole := h.memoryKiB*h.time, p.cost.MemoryKiB*p.cost.Passes
	if done >= whole {
		return
	}
	if memory := (whole - done) / p.cost.Passes; memory >= least {
		argon2.IDKey([]byte(password.Reveal()), h.salt, p.cost.Passes, memory, argonLanes, argonKeySize)
	}
}

// passwordHash is a parsed PHC string.
type passwordHash struct {
	memoryKiB uint32
	time      uint32
	lanes     uint8
	salt      []byte
	key       []byte
}

func (h *passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memoryKiB, h.time, h.lanes,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.key))
}

func (p *Passwords) outdated(h *passwordHash) bool {
	return h.memoryKiB != p.cost.MemoryKiB || h.time != p.cost.Passes || h.lanes != argonLanes ||
		len(h.salt) < argonSaltSize || len(h.key) < argonKeySize
}

// parsePasswordHash reads a PHC string of argon2id version 19 in canonical form
// and within bounds.
func parsePasswordHash(encoded string) (passwordHash, error) {
	bad := func(what string) (passwordHash, error) {
		return passwordHash{}, fmt.Errorf("%w: %s", ErrPasswordHash, what)
	}
	if len(encoded) > maxEncodedHash {
		return bad("too long")
	}
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return bad("not of the form $argon2id$v=…$m=…,t=…,p=…$salt$hash")
	}
	if parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return bad("unsupported version")
	}
	params := strings.Split(parts[3], ",")
	if len(params) != 3 {
		return bad("wrong number of parameters")
	}
	memory, okM := boundedParam(params[0], "m=", minArgonMemoryKiB, maxArgonMemoryKiB)
	time, okT := boundedParam(params[1], "t=", 1, maxArgonTime)
	lanes, okP := boundedParam(params[2], "p=", 1, maxArgonLanes)
	if !okM || !okT || !okP {
		return bad("a parameter is malformed or out of bounds")
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 || strings.ContainsAny(parts[4], "\r\n") {
		return bad("bad salt")
	}
	key, err := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err != nil || len(key) < 16 || len(key) > 64 || strings.ContainsAny(parts[5], "\r\n") {
		return bad("bad hash")
	}
	return passwordHash{memoryKiB: memory, time: time, lanes: uint8(lanes), salt: salt, key: key}, nil
}

// boundedParam reads prefix followed by a decimal in [low, high] without sign or
// leading zero.
func boundedParam(text, prefix string, low, high uint64) (uint32, bool) {
	digits, ok := strings.CutPrefix(text, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || n < low || n > high || strconv.FormatUint(n, 10) != digits {
		return 0, false
	}
	return uint32(n), true
}
