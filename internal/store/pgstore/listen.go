package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// channel is the name that notifications go by. Notifications are hints: they
// carry the sender's name and nothing else, and may be lost.
const channel = "kagiban_events"

// hold is the shortest time between two notifications of one node, so that a
// busy node does not wake the others for each of its writes.
const hold = 5 * time.Millisecond

// listen waits for notifications on a connection of its own and connects anew,
// ever more slowly, when it is lost.
func (f *follower) listen(ctx context.Context) {
	wait := 100 * time.Millisecond
	for ctx.Err() == nil {
		started := time.Now()
		err := f.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > time.Minute {
			wait = 100 * time.Millisecond
		}
		if unsupported(err) {
			f.db.opts.Log.Info("the database has no notifications; its log is polled", "every", f.db.opts.Poll)
			return
		}
		f.db.opts.Log.Warn("listening for notifications", "error", err, "again_in", wait)
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, 10*time.Second)
	}
}

func (f *follower) hear(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, f.db.config.Copy())
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	f.rouse() // for what came while nobody listened
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		if n.Payload != f.node {
			f.rouse()
		}
	}
}

func (f *follower) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// notify tells other nodes that there is news. It does so after the commit and
// for many at once: inside a transaction a notification makes the database
// take all commits one after the other.
func (f *follower) notify(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.kick:
		}
		_, err := f.db.pool.Exec(ctx, "SELECT pg_notify($1, $2)", channel, f.node)
		if unsupported(err) {
			return
		}
		if !sleep(ctx, hold) {
			return
		}
	}
}

// unsupported reports that the database does not know of notifications:
// undefined function, feature not supported, syntax error.
func unsupported(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42883" || pg.Code == "0A000" || pg.Code == "42601")
}

// sleep waits; false if the context ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
