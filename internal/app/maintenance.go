package app

import (
	"context"
	"errors"
	"time"
)

// maintenanceInterval is how often the services get to do what is due. It is
// real time: the moved clock of development decides what is due, not when the
// server looks.
const maintenanceInterval = 5 * time.Second

// startMaintenance begins the work in the background; the channel is closed
// when all of it has ended after the context did.
func (a *App) startMaintenance(ctx context.Context) <-chan struct{} {
	idle := make(chan struct{})
	reconciled := make(chan struct{})
	go func() {
		defer close(reconciled)
		a.core.templates.Run(ctx, func(err error) { a.cfg.Log.Error("templates wait for the next round", "error", err.Error()) })
	}()
	go func() {
		defer close(idle)
		defer func() { <-reconciled }()
		tick := time.NewTicker(maintenanceInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				a.maintain(ctx)
			}
		}
	}()
	return idle
}

func (a *App) maintain(ctx context.Context) {
	if a.dev != nil { // not in the middle of a reset
		a.dev.gate.RLock()
		defer a.dev.gate.RUnlock()
	}
	if !a.cfg.Postgres() && a.cfg.Database != "" {
		a.core.keys.Recheck() // `kagiban keys` may have written to the file
	}
	if err := errors.Join(a.core.keys.Maintain(ctx), a.core.sessions.Maintain(ctx), a.core.tokens.Flush(ctx), a.core.authority.Flush(ctx), a.core.sweepKeys(ctx, a.now())); err != nil && ctx.Err() == nil {
		a.cfg.Log.Error("maintenance failed; the next round tries again", "error", err.Error())
	}
}

// keySweepInterval is how often expired API keys are looked for: the look
// reads every key of the installation.
const keySweepInterval = 24 * time.Hour

// sweepKeys deletes API keys that expired long ago, once a day and at start.
func (c *core) sweepKeys(ctx context.Context, now time.Time) error {
	if since := now.Sub(c.keysSwept); since >= 0 && since < keySweepInterval {
		return nil
	}
	c.keysSwept = now
	_, err := c.identity.DeleteExpired(ctx)
	return err
}
