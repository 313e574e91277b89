package app

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/kagiban/kagiban/internal/job"
)

// maintenanceInterval is how often the modules get to do what is due. It is
// real time: the moved clock of development decides what is due, not when the
// server looks.
const maintenanceInterval = 5 * time.Second

// newJobs makes what runs lasting work. An SQLite file has one serving process:
// what is in its hands at a start is of one that ended, and need not be waited for.
func (a *App) newJobs() *job.Runner {
	node := "local"
	if a.cfg.Postgres() {
		node = rand.Text()
	}
	return job.New(job.Config{DB: a.db, Node: node, Now: a.now, Log: a.cfg.Log, Observe: a.metrics.jobEnded}, a.core.modules.jobs()...)
}

// startWork begins all work that lasts; what it gives is done when all of that
// has ended after the context did.
func (a *App) startWork(ctx context.Context) *sync.WaitGroup {
	var work sync.WaitGroup
	work.Go(func() { a.newJobs().Run(ctx) })
	work.Go(func() {
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
	})
	return &work
}

func (a *App) maintain(ctx context.Context) {
	if a.dev != nil { // not in the middle of a reset
		a.dev.gate.RLock()
		defer a.dev.gate.RUnlock()
	}
	if err := a.core.modules.maintain(ctx); err != nil && ctx.Err() == nil {
		a.cfg.Log.Error("maintenance failed; the next round tries again", "error", err.Error())
	}
}
