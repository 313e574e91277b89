package app

import "sync"

// polls ends long polls: for good when the server shuts down, for a while when
// it resets. The zero value lets them wait. Safe for concurrent use.
type polls struct {
	mu     sync.Mutex // guards the fields below
	end    chan struct{}
	paused bool
	closed bool
}

// ending gives the channel that is closed when polls shall answer what they have.
func (p *polls) ending() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.channel()
}

// channel wants mu.
func (p *polls) channel() chan struct{} {
	if p.end == nil {
		p.end = make(chan struct{})
	}
	return p.end
}

// pause ends the polls that wait, and those that come before resume.
func (p *polls) pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.paused && !p.closed {
		close(p.channel())
		p.paused = true
	}
}

// resume lets polls wait again after pause.
func (p *polls) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused && !p.closed {
		p.end, p.paused = nil, false
	}
}

// close ends all polls for good.
func (p *polls) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.paused && !p.closed {
		close(p.channel())
	}
	p.closed = true
}
