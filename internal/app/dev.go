package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/kagiban/kagiban/internal/dev/demo"
	"github.com/kagiban/kagiban/internal/dev/devapi"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
)

// devMode is what a development server has beside a server.
type devMode struct {
	app      *App
	faults   *devapi.Faults
	requests *devapi.Requests
	data     *demo.Data
	// gate is held for reading by each request and for writing by a reset, so
	// that nobody meets half of the demo data.
	gate sync.RWMutex
}

// purposeDemoSeed seals the seed of the demo data.
const purposeDemoSeed secret.Purpose = "demo-seed"

const demoSeedID = "demo-seed"

// deriveDemo derives the demo data of the store, or of a new seed for one that
// has none, and tells whether it is there. The seed is kept: a later start on the
// same database knows the keys.
func (a *App) deriveDemo(ctx context.Context, s *secrets) (present bool, err error) {
	if present, err = demo.Present(ctx, a.db); err != nil {
		return false, fmt.Errorf("looking for demo data: %w", err)
	}
	seed, err := readInstalled(ctx, a.db, s.sealer, demoSeedID, purposeDemoSeed)
	switch {
	case err == nil:
	case !errors.Is(err, fault.NotFound):
		return present, err
	case present:
		return present, errors.New("the database was not made by `kagiban dev`: development keys must not get into it; use `kagiban serve`, or another folder")
	default:
		if seed, err = a.newSeed(); err != nil {
			return present, err
		}
		if err := install(ctx, a.db, s.sealer, demoSeedID, purposeDemoSeed, seed); err != nil {
			return present, err
		}
	}
	a.dev.data, err = demo.New(seed)
	return present, err
}

func (a *App) loadDemo(ctx context.Context, c *core) error {
	hasher, err := c.secrets.hasher(secret.PurposeAPIKey)
	if err != nil {
		return err
	}
	return a.dev.data.Load(ctx, demo.Into{DB: a.db, Authority: c.authority, Hasher: hasher, Now: a.now})
}

func (a *App) newSeed() ([]byte, error) {
	if !a.cfg.Dev.Random {
		return demo.FixedSeed(), nil
	}
	seed := make([]byte, demo.SeedSize)
	if _, err := io.ReadFull(rand.Reader, seed); err != nil {
		return nil, fmt.Errorf("drawing a seed: %w", err)
	}
	return seed, nil
}

// reset empties the store and brings back what a fresh start has. Requests wait
// meanwhile; long polls end. The signing keys stay, so that tokens which
// clients hold remain good when their identities come back.
func (a *App) reset(ctx context.Context) error {
	d := a.dev
	a.core.polls.pause()
	defer a.core.polls.resume()
	d.gate.Lock()
	defer d.gate.Unlock()
	// A client that goes away must not leave an empty store behind.
	ctx = context.WithoutCancel(ctx)
	if err := a.db.Reset(ctx); err != nil {
		return fmt.Errorf("emptying the store: %w", err)
	}
	if err := a.core.secrets.restore(ctx, a.db); err != nil {
		return err
	}
	if err := install(ctx, a.db, a.core.secrets.sealer, demoSeedID, purposeDemoSeed, d.data.Seed()); err != nil {
		return err
	}
	return a.loadDemo(ctx, a.core)
}

// ServeHTTP lets requests through the gate. The reset itself must not hold it.
// A client can be slow in sending and in reading for as long as it likes, and the
// reset would wait for it and everybody for the reset: bodies are read before the
// gate and answers are written behind it.
func (d *devMode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.TrimRight(r.URL.Path, "/") == devapi.ResetPath {
		d.app.core.router.ServeHTTP(w, r)
		return
	}
	r.Body = readAhead(r.Body)
	held := &heldAnswer{header: w.Header()}
	func() {
		d.gate.RLock()
		defer d.gate.RUnlock()
		d.app.core.router.ServeHTTP(held, r)
	}()
	if held.status != 0 {
		w.WriteHeader(held.status)
	}
	// An error means that the client is gone.
	_, _ = held.body.WriteTo(w)
}

// maxAhead is more than any operation reads of a body.
const maxAhead = 2 << 20

// readAhead gives a body whose bytes have arrived, with the error that they
// ended in.
func readAhead(body io.ReadCloser) io.ReadCloser {
	if body == nil || body == http.NoBody {
		return body
	}
	var b bytes.Buffer
	_, err := b.ReadFrom(io.LimitReader(body, maxAhead))
	rest := io.Reader(body)
	if err != nil {
		rest = broken{err}
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&b, rest), body}
}

// broken is a reader of nothing but an error.
type broken struct{ err error }

func (r broken) Read([]byte) (int, error) { return 0, r.err }

// heldAnswer keeps an answer until it may be sent.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (a *heldAnswer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *heldAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter.
func (a *heldAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}
