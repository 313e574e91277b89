package token

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/activity"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
	"github.com/kagiban/kagiban/internal/throttle"
)

// Choices of ours.
const (
	// kept is the number of credentials and of bearer tokens that are kept ready;
	// an entry takes 1 to 4 KiB.
	kept = 8192
)

// Config is what a Service needs. DB, Cache, Keys, Sessions, Clients, Throttle,
// Pepper, Issuer, Now and Log are required.
type Config struct {
	DB store.DB
	// Cache holds the objects that tokens depend on.
	Cache    *cache.Cache
	Keys     *keyring.Keyring
	Sessions *session.Service
	Clients  *oauth.Clients
	Throttle *throttle.Throttle
	// Pepper is the installation's (secret.PepperSize): the look-up hashes of
	// API keys (secret.PurposeAPIKey) are made under it; whoever creates API keys
	// must use the same.
	Pepper []byte
	// Issuer is the claim iss, e.g. "https://iam.cloud.ibm.com/identity": an
	// absolute URL. It needs not be the server's own; see IssuerOf.
	Issuer string
	// ActAs decides which service IDs and profiles may act as a service; nil
	// means none.
	ActAs ActAs
	// Passwords checks those of people; nil means the usual cost, one computation
	// for each core.
	Passwords *secret.Passwords
	// Leeway covers clocks of nodes that differ: how far the times of a token may
	// be missed.
	Leeway time.Duration
	// IssuedOnly lets the allowed addresses of an account bind its tokens only
	// where they are issued, and not at every use.
	IssuedOnly bool
	// Limits bound guessing; the zero value means DefaultLimits.
	Limits Limits
	Now    func() time.Time
	// IDs makes the ids of tokens.
	IDs id.Generator
	// Observe, when set, sees each exchange after its end, for metrics: the name
	// of the grant ("unknown" for none of ours) and "success" or the kind of
	// fault. It must be quick.
	Observe func(grant, outcome string)
	// Log gets one audit line for each login.
	Log *slog.Logger
}

// Limits bound guessing, beside what bounds that of clients' secrets. Only
// failures count: an exchange of a good API key passes whatever its source did
// before, unless it names a client whose secret the source guessed at.
type Limits struct {
	// Credential bounds unknown API keys, refresh tokens and passcodes, per
	// source.
	Credential throttle.Limit
	// PasswordSource and PasswordTarget bound wrong passwords, per source and
	// per user name.
	PasswordSource throttle.Limit
	PasswordTarget throttle.Limit
}

// DefaultLimits leave room for a badly configured fleet behind one address and
// none for guessing: an API key has 264 bits, a passcode 59, and a password
// gets 10 tries and then one in 30 s.
var DefaultLimits = Limits{
	Credential:     throttle.Limit{Burst: 200, Every: 100 * time.Millisecond},
	PasswordSource: throttle.Limit{Burst: 50, Every: 2 * time.Second},
	PasswordTarget: throttle.Limit{Burst: 10, Every: 30 * time.Second},
}

// IssuerOf derives the issuer of a server from its public base URL.
func IssuerOf(baseURL string) string { return strings.TrimSuffix(baseURL, "/") + "/identity" }

// Service is the token service. It is safe for concurrent use.
type Service struct {
	cfg      Config
	keys     *keyring.Keyring
	sessions *session.Service
	clients  *oauth.Clients
	throttle *throttle.Throttle
	grants   map[string]grant

	keyHash  *secret.Hasher
	state    *state
	logins   *cache.Map[loginKey, *keyLogin]
	trusts   *cache.Map[trustKey, *trusted]
	known    *cache.Map[string, *bearer]
	verifier *signing.Verifier[*Claims]
	activity *activity.Counter
	cancel   func()
}

// New checks the configuration, makes a Service and begins to follow the event
// log, until Close. It reads nothing yet.
func New(cfg Config) (*Service, error) {
	if !strings.HasPrefix(cfg.Issuer, "https://") && !strings.HasPrefix(cfg.Issuer, "http://") {
		return nil, fmt.Errorf("making the token service: the issuer %q is no absolute URL", cfg.Issuer)
	}
	cfg.Limits = cmp.Or(cfg.Limits, DefaultLimits)
	if cfg.Passwords == nil {
		cfg.Passwords = secret.NewPasswords(rand.Reader, 0)
	}
	s := &Service{cfg: cfg, keys: cfg.Keys, sessions: cfg.Sessions, clients: cfg.Clients,
		throttle: cfg.Throttle, grants: grantTable()}
	var err error
	if s.keyHash, err = secret.NewHasher(cfg.Pepper, secret.PurposeAPIKey); err != nil {
		return nil, fmt.Errorf("making the token service: %w", err)
	}
	s.verifier = signing.NewVerifier(signing.VerifierOptions[*Claims]{
		Keys: cfg.Keys, Issuers: []string{cfg.Issuer}, Leeway: cfg.Leeway, Now: cfg.Now, Decode: decodeClaims,
	})
	s.state = newState(cfg.Cache, kept)
	s.logins = cache.NewMap[loginKey, *keyLogin](kept)
	s.trusts = cache.NewMap[trustKey, *trusted](kept)
	s.known = cache.NewMap[string, *bearer](kept)
	s.activity = activity.New(cfg.DB, "")
	s.cancel = cfg.DB.Subscribe(s.observe)
	return s, nil
}

// Issuer is the claim iss of the tokens.
func (s *Service) Issuer() string { return s.cfg.Issuer }

// Close ends the subscription and writes what is still in memory.
func (s *Service) Close(ctx context.Context) error {
	s.cancel()
	return s.Flush(ctx)
}

// observe sees every event of the store; it must be quick.
func (s *Service) observe(events []store.Event) {
	for i := range events {
		switch e := &events[i]; {
		case e.Op == store.Reset:
			s.logins.Clear()
			s.trusts.Clear()
			s.known.Clear()
			s.activity.Forget()
			s.throttle.Forget()
			s.state.usersChanged()
		case e.Written().Kind == account.Users.Kind():
			s.state.usersChanged()
		}
	}
}

// Flush writes activity counters that are in memory, in one transaction. Call it
// every few seconds; what cannot be written is kept for the next time.
func (s *Service) Flush(ctx context.Context) error { return s.activity.Flush(ctx) }
