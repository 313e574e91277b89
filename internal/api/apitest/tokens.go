package apitest

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
	"github.com/kagiban/kagiban/internal/signing"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
	"github.com/kagiban/kagiban/internal/throttle"
	"github.com/kagiban/kagiban/internal/token"
)

// Issuer is who signs the tokens of a Server.
const Issuer = "https://iam.cloud.ibm.com/identity"

// TokenConfig are the choices for Tokens; zero values mean the usual ones.
type TokenConfig struct {
	DB        store.DB // nil: the server's
	Issuer    string   // "": Issuer
	Algorithm signing.Algorithm
	Engine    signing.Engine
	Clients   []oauth.Client
	// ClientLimit and Limits bound guessing.
	ClientLimit throttle.Limit
	Limits      token.Limits
	Cost        secret.Cost // of passwords; zero: the least
	ActAs       token.ActAs
	Log         *slog.Logger
}

// Tokens is a token service with what it stands on.
type Tokens struct {
	*token.Service
	Keys     *keyring.Keyring
	Sessions *session.Service
}

// Tokens starts a token service on the server's accounts. Each call is another
// node over the same store. It ends with the test.
func (s *Server) Tokens(cfg TokenConfig) *Tokens {
	s.T.Helper()
	ctx := context.Background()
	if cfg.DB == nil {
		cfg.DB = s.DB
	}
	if cfg.Issuer == "" {
		cfg.Issuer = Issuer
	}
	if cfg.Algorithm == "" {
		cfg.Algorithm, cfg.Engine = signing.ES256, signing.EngineGo
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	n := &Tokens{}
	check := func(err error) {
		s.T.Helper()
		if err != nil {
			s.T.Fatal(err)
		}
	}
	master, err := secret.ParseMasterKey("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	check(err)
	sealer, err := secret.NewSealer(nil, master)
	check(err)
	n.Keys, err = keyring.New(keyring.Config{DB: cfg.DB, Sealer: sealer, TokenLife: token.MaxAccessLife, Algorithm: cfg.Algorithm,
		Engine: cfg.Engine, Now: s.Now, Log: cfg.Log})
	check(err)
	check(n.Keys.Start(ctx))
	n.Sessions, err = session.New(session.Config{DB: cfg.DB, Pepper: Pepper(), Now: s.Now, Log: cfg.Log})
	check(err)
	guesses := throttle.New(s.Now)
	clients, err := oauth.New(oauth.Config{Clients: cfg.Clients, Throttle: guesses, Limit: cfg.ClientLimit})
	check(err)
	objects := cache.New(cfg.DB, 1000)
	n.Service, err = token.New(token.Config{
		DB: cfg.DB, Cache: objects, Keys: n.Keys, Sessions: n.Sessions, Clients: clients, Throttle: guesses, Pepper: Pepper(),
		Passwords: secret.NewPasswordsAt(cmp.Or(cfg.Cost, secret.LeastCost), nil, 0),
		Issuer:    cfg.Issuer, Limits: cfg.Limits, ActAs: cfg.ActAs, Now: s.Now, Log: cfg.Log,
		Leeway: 5 * time.Second,
	})
	check(err)
	s.T.Cleanup(func() {
		for _, err := range []error{n.Service.Close(ctx), n.Sessions.Close(ctx)} {
			if err != nil {
				s.T.Error(err)
			}
		}
		n.Keys.Close()
		objects.Close()
	})
	return n
}

// Pepper is under the look-up hashes of every Server.
func Pepper() []byte { return make([]byte, secret.PepperSize) }
