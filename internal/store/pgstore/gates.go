package pgstore

import (
	"context"
	"slices"
	"sync"
)

// gates let the writers of one account, within this process, go one after the
// other. All of them change the account's head, so that the database would
// let only one through and make the others begin again; here they queue
// without holding a connection.
//
// The zero value is ready.
type gates struct {
	mu   sync.Mutex // guards open and the counts in it
	open map[string]*gate
}

type gate struct {
	token chan struct{} // holds one value while the gate is free
	users int           // holders and waiters; the gate is forgotten at 0
}

func (g *gates) get(account string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	x := g.open[account]
	if x == nil {
		x = &gate{token: make(chan struct{}, 1)}
		x.token <- struct{}{}
		if g.open == nil {
			g.open = map[string]*gate{}
		}
		g.open[account] = x
	}
	x.users++
	return x
}

func (g *gates) drop(account string, x *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if x.users--; x.users == 0 {
		delete(g.open, account)
	}
}

// busy reports whether somebody holds an account's gate at this moment.
func (g *gates) busy(account string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open[account] != nil
}

// pass is the set of gates that one writer holds.
type pass struct {
	gates *gates
	held  map[string]*gate
	shut  []string // accounts whose gates were not free
}

// enter waits for the gates of all accounts. It takes them in the order of
// their names and the caller holds none yet: so no two wait for each other.
func (g *gates) enter(ctx context.Context, accounts []string) (*pass, error) {
	p := &pass{gates: g, held: make(map[string]*gate, 1)}
	slices.Sort(accounts)
	for _, account := range slices.Compact(accounts) {
		x := g.get(account)
		select {
		case <-x.token:
			p.held[account] = x
		case <-ctx.Done():
			g.drop(account, x)
			p.leave()
			return nil, ctx.Err()
		}
	}
	return p, nil
}

// try takes one more gate if it is free at this moment.
func (p *pass) try(account string) bool {
	if _, ok := p.held[account]; ok {
		return true
	}
	x := p.gates.get(account)
	select {
	case <-x.token:
		p.held[account] = x
		return true
	default:
		p.gates.drop(account, x)
		p.shut = append(p.shut, account)
		return false
	}
}

// accounts gives those whose gates were held or found shut.
func (p *pass) accounts() []string {
	out := slices.Clone(p.shut)
	for account := range p.held {
		out = append(out, account)
	}
	return out
}

func (p *pass) leave() {
	for account, x := range p.held {
		x.token <- struct{}{}
		p.gates.drop(account, x)
	}
	clear(p.held)
}
