package token

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/activity"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// Defaults of Config. Lifetimes without a source are choices of ours.
const (
	// DefaultReuseGrace is how long a refresh token works on after it was
	// exchanged: two processes of the command line may race with one file.
	DefaultReuseGrace = time.Minute
	// DefaultPasscodeLife bounds how long a one-time passcode works.
	DefaultPasscodeLife = 5 * time.Minute
	// DefaultLeeway covers clocks of nodes that differ.
	DefaultLeeway = 5 * time.Second
	// MaxLeeway is the largest leeway that is accepted.
	MaxLeeway = 10 * time.Second
	// DefaultCacheSize is the number of credentials and of bearer tokens that
	// are kept ready; an entry takes 1 to 4 KiB.
	DefaultCacheSize = 8192
)

// Config is what a Service needs. DB, Sealer, Pepper, Issuer, Now and Log are
// required.
type Config struct {
	DB store.DB
	// Cache holds the objects that tokens depend on; nil means one of its own.
	Cache *cache.Cache
	// Sealer seals the signing keys.
	Sealer *secret.Sealer
	// Pepper is the installation's (secret.GeneratePepper). The look-up hashes
	// of API keys (secret.PurposeAPIKey), refresh tokens and passcodes are made
	// under it; whoever creates API keys must use the same.
	Pepper []byte
	// Passwords checks passwords; nil means one computation per core.
	Passwords *secret.Passwords
	// Issuer is the claim iss, e.g. "https://iam.cloud.ibm.com/identity": an
	// absolute URL. It needs not be the server's own; see IssuerOf.
	Issuer string
	// Algorithm of new signing keys (default RS256), RSABits their size, Engine
	// who computes; RotateAfter and PublishAhead as in signing.RingOptions.
	Algorithm    signing.Algorithm
	RSABits      int
	Engine       signing.Engine
	RotateAfter  time.Duration
	PublishAhead time.Duration
	// Limiter bounds concurrent RSA signatures; nil means one of its own.
	Limiter *signing.Limiter
	// Clients are OAuth clients beside the built-in ones; see Client.
	Clients []Client
	// ReuseGrace, PasscodeLife, Leeway and CacheSize: 0 means the default.
	// Leeway is at most MaxLeeway; a negative one means none.
	ReuseGrace   time.Duration
	PasscodeLife time.Duration
	Leeway       time.Duration
	CacheSize    int
	// ActAs decides which service IDs and profiles may act as a service; nil
	// means none.
	ActAs ActAs
	// Limits bound guessing; the zero value means DefaultLimits.
	Limits Limits
	Now    func() time.Time
	// IDs and Random are the sources of ids and secrets; nil readers mean crypto/rand.
	IDs    id.Generator
	Random io.Reader
	// Observe, when set, sees each exchange after its end, for metrics: the name
	// of the grant ("unknown" for none of ours) and "success" or the kind of
	// fault. It must be quick.
	Observe func(grant, outcome string)
	// Log gets one audit line for each login and warnings of misuse.
	Log *slog.Logger
}

// IssuerOf derives the issuer of a server from its public base URL.
func IssuerOf(baseURL string) string { return strings.TrimSuffix(baseURL, "/") + "/identity" }

// Service is the token service. It is safe for concurrent use.
type Service struct {
	cfg     Config
	clients map[string]*Client
	grants  map[string]grant

	keyHash      *secret.Hasher
	refreshHash  *secret.Hasher
	passcodeHash *secret.Hasher

	ring   *signing.Ring
	rings  *store.Collection[ringObject]
	state  *state
	logins *bounded[loginKey, *keyLogin]
	trusts *bounded[trustKey, *trusted]
	known  *bounded[string, *bearer]

	verifier *signing.Verifier[*Claims]
	sessions *sessionTracker
	people   *loginIndex
	activity *activity.Counter
	throttle *throttle

	// ringStale is set when another node may have changed the ring.
	ringStale atomic.Bool
	// ringMu serialises reloading and changing the ring.
	ringMu    sync.Mutex
	cancelSub func()
	// closeCache is nil when the cache is somebody else's.
	closeCache func()
}

// New checks the configuration, makes a Service and begins to follow the event
// log. It reads nothing yet: call Start before the first request, and Close at
// the end.
func New(cfg Config) (*Service, error) {
	if err := cfg.fill(); err != nil {
		return nil, fmt.Errorf("making the token service: %w", err)
	}
	s := &Service{cfg: cfg, rings: store.NewCollection[ringObject](ringKind, nil)}
	var err error
	if s.clients, err = clientTable(cfg.Clients); err != nil {
		return nil, fmt.Errorf("making the token service: %w", err)
	}
	for _, h := range []struct {
		to      **secret.Hasher
		purpose secret.Purpose
	}{{&s.keyHash, secret.PurposeAPIKey}, {&s.refreshHash, secret.PurposeRefreshToken}, {&s.passcodeHash, secret.PurposePasscode}} {
		if *h.to, err = secret.NewHasher(cfg.Pepper, h.purpose); err != nil {
			return nil, fmt.Errorf("making the token service: %w", err)
		}
	}
	s.ring, err = signing.NewRing(signing.RingOptions{
		Name: ringName, Sealer: cfg.Sealer, MaxTokenLife: MaxAccessLife, Algorithm: cfg.Algorithm, RSABits: cfg.RSABits,
		Engine: cfg.Engine, Limiter: cfg.Limiter, RotateAfter: cfg.RotateAfter, PublishAhead: cfg.PublishAhead,
	})
	if err != nil {
		return nil, fmt.Errorf("making the token service: %w", err)
	}
	s.verifier = signing.NewVerifier(signing.VerifierOptions[*Claims]{
		Keys: s.ring, Issuers: []string{cfg.Issuer}, Leeway: cfg.Leeway, Now: cfg.Now, Decode: decodeClaims,
	})
	s.grants = grantTable()
	objects := cfg.Cache
	if objects == nil {
		objects = cache.New(cfg.DB, cfg.CacheSize)
		s.closeCache = objects.Close
	}
	s.state = newState(objects, cfg.CacheSize)
	s.logins = newBounded[loginKey, *keyLogin](cfg.CacheSize)
	s.people = newLoginIndex(cfg.CacheSize)
	s.trusts = newBounded[trustKey, *trusted](cfg.CacheSize)
	s.known = newBounded[string, *bearer](cfg.CacheSize)
	s.sessions = newSessionTracker(cfg.DB, cfg.CacheSize)
	s.activity = activity.New(cfg.DB, "")
	s.throttle = newThrottle(cfg.Limits, cfg.Now)
	s.cancelSub = cfg.DB.Subscribe(s.observe)
	return s, nil
}

// Issuer is the claim iss of the tokens.
func (s *Service) Issuer() string { return s.cfg.Issuer }

// fill checks required fields and sets defaults.
func (cfg *Config) fill() error {
	switch {
	case cfg.DB == nil || cfg.Sealer == nil || cfg.Now == nil || cfg.Log == nil:
		return errors.New("DB, Sealer, Now and Log are needed")
	case !strings.HasPrefix(cfg.Issuer, "https://") && !strings.HasPrefix(cfg.Issuer, "http://"):
		return fmt.Errorf("the issuer %q is no absolute URL", cfg.Issuer)
	case cfg.Leeway > MaxLeeway:
		return fmt.Errorf("a leeway of %s is over the limit of %s", cfg.Leeway, MaxLeeway)
	}
	setDefault(&cfg.ReuseGrace, DefaultReuseGrace)
	setDefault(&cfg.PasscodeLife, DefaultPasscodeLife)
	setDefault(&cfg.Leeway, DefaultLeeway)
	setDefault(&cfg.CacheSize, DefaultCacheSize)
	setDefault(&cfg.Limits, DefaultLimits)
	setDefault(&cfg.Limits.Client, DefaultLimits.Client)
	cfg.Leeway = max(cfg.Leeway, 0)
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	if cfg.Passwords == nil {
		cfg.Passwords = secret.NewPasswords(cfg.Random, 0)
	}
	return nil
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

// Start loads the signing keys and makes the first one when there is none of
// the algorithm asked for (an RSA key takes 50 to 180 ms). It may run beside other work of the start; requests
// before its end are answered with fault.Unavailable.
func (s *Service) Start(ctx context.Context) error {
	if err := s.loadRing(ctx); err != nil {
		return err
	}
	if m := s.ring.Current(); m != nil && m.Signer().Algorithm() == s.cfg.Algorithm {
		// Tokens can be issued. A successor that is due costs the making of a
		// key, some 80 ms for RSA: Maintain does that beside the first requests.
		return nil
	}
	_, err := s.rotate(ctx, s.rotateIfDue)
	return err
}

// Close ends the subscription and writes what is still in memory.
func (s *Service) Close(ctx context.Context) error {
	s.cancelSub()
	if s.closeCache != nil {
		s.closeCache()
	}
	return s.Flush(ctx)
}

// observe sees every event of the store; it must be quick.
func (s *Service) observe(events []store.Event) {
	for i := range events {
		switch e := &events[i]; {
		case e.Op == store.Reset:
			s.ringStale.Store(true)
			s.logins.clear()
			s.people.clear()
			s.trusts.clear()
			s.known.clear()
			s.sessions.clear()
			s.activity.Forget()
			s.throttle.buckets.clear()
			s.state.usersChanged()
		case e.Written().Kind == ringKind:
			s.ringStale.Store(true)
		case e.Written().Kind == account.Users.Kind():
			s.state.usersChanged()
		}
	}
}

// sweepBatch bounds the expired records that one Maintain deletes, so that a
// backlog does not hold the writer.
const sweepBatch = 1000

// Maintain does what is due: the rotation of signing keys, the writing of
// activity counters and of session activity, the deletion of expired records.
// Call it every few seconds (5 s are good); each call costs two small
// transactions at most when something happened since the last one, and none
// otherwise. An error concerns only this round.
func (s *Service) Maintain(ctx context.Context) error {
	var errs []error
	if _, err := s.rotate(ctx, s.rotateIfDue); err != nil {
		errs = append(errs, err)
	}
	if err := s.Flush(ctx); err != nil {
		errs = append(errs, err)
	}
	if s.sessions.sweepDue(s.cfg.Now()) {
		if _, err := s.cfg.DB.Tokens().Sweep(ctx, sweepBatch); err != nil {
			errs = append(errs, fmt.Errorf("sweeping expired records: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Flush writes activity counters and session activity that are in memory. Call
// it after the last request, before the store is closed.
func (s *Service) Flush(ctx context.Context) error {
	return errors.Join(s.activity.Flush(ctx), s.sessions.flush(ctx))
}
