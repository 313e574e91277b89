// Package session keeps logins: what a login came of and as whom it goes on,
// the login sessions of people, the families of refresh tokens, delegated
// refresh tokens and one-time passcodes, and what ends all of them. Who may
// begin a login, and whether its identity is still good, is decided by its
// callers.
//
// The package starts no goroutine. Its owner runs its Jobs, calls Flush every
// few seconds while it serves, and Close after the last request and before the
// store is closed. A crash loses the session activity since the last Flush,
// nothing else.
package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/job"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

// Choices of ours.
const (
	// ReuseGrace is how long a refresh token works on after it was
	// exchanged: two processes of the command line may race with one file.
	ReuseGrace = time.Minute
	// PasscodeLife bounds how long a one-time passcode works.
	PasscodeLife = 5 * time.Minute
	// kept is the number of sessions that are kept ready.
	kept = 8192
)

// Config is what a Service needs. DB, Pepper, Now and Log are required.
type Config struct {
	DB store.DB
	// Pepper is the installation's (secret.PepperSize): the look-up hashes of
	// refresh tokens and passcodes are made under it.
	Pepper []byte
	Now    func() time.Time
	// IDs and Random are the sources of ids and secrets; nil readers mean crypto/rand.
	IDs    id.Generator
	Random io.Reader
	// Log gets warnings of misuse.
	Log *slog.Logger
}

// Service keeps logins. It is safe for concurrent use.
type Service struct {
	db     store.DB
	now    func() time.Time
	ids    id.Generator
	random io.Reader
	log    *slog.Logger

	refreshHash, passcodeHash *secret.Hasher

	tracker *tracker
	endings *endings
	people  *loginIndex
	cancel  func()
}

// New makes a Service, which follows the event log until Close.
func New(cfg Config) (*Service, error) {
	s := &Service{db: cfg.DB, now: cfg.Now, ids: cfg.IDs, random: cfg.Random, log: cfg.Log}
	if s.random == nil {
		s.random = rand.Reader
	}
	var refresh, passcode error
	s.refreshHash, refresh = secret.NewHasher(cfg.Pepper, secret.PurposeRefreshToken)
	s.passcodeHash, passcode = secret.NewHasher(cfg.Pepper, secret.PurposePasscode)
	if err := errors.Join(refresh, passcode); err != nil {
		return nil, fmt.Errorf("making the session service: %w", err)
	}
	s.tracker, s.endings = newTracker(cfg.DB, kept), newEndings(cfg.DB)
	s.people = newLoginIndex(kept)
	s.cancel = cfg.DB.Subscribe(s.observe)
	return s, nil
}

// observe forgets everything when the store was emptied.
func (s *Service) observe(events []store.Event) {
	for i := range events {
		if events[i].Op == store.Reset {
			s.tracker.clear()
			s.endings.clear()
			s.people.clear()
		}
	}
}

const (
	// sweepEvery spaces the deletions of expired records.
	sweepEvery = time.Minute
	// sweepBatch bounds the expired records that are deleted at a time, so that a
	// backlog does not hold the writer.
	sweepBatch = 1000
)

// Jobs gives the lasting work of this package: the deletion of expired records.
func (s *Service) Jobs() []job.Kind {
	return []job.Kind{{Name: "expired-records", Every: sweepEvery, Run: func(ctx context.Context, _ *job.Run) error {
		n, err := s.db.Tokens().Sweep(ctx, sweepBatch)
		if err != nil {
			return fmt.Errorf("sweeping expired records: %w", err)
		}
		if n == sweepBatch {
			return job.Again(time.Time{})
		}
		return nil
	}}}
}

// Flush writes when sessions were seen. Call it every few seconds; it costs a
// small transaction when something happened since the last one, and nothing
// otherwise.
func (s *Service) Flush(ctx context.Context) error { return s.tracker.flush(ctx) }

// Close ends the subscription and writes what is still in memory.
func (s *Service) Close(ctx context.Context) error {
	s.cancel()
	return s.tracker.flush(ctx)
}
