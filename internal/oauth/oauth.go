// Package oauth knows the OAuth clients: those that official tools bring along
// and those that the operator configured. It tells who a client is and what
// its logins get; what a login is, others know.
package oauth

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/throttle"
)

// RefreshKind says what refresh token a client gets.
type RefreshKind string

// The kinds.
const (
	// RefreshNone answers "not_supported", as without a client.
	RefreshNone RefreshKind = ""
	// RefreshRotating gives an opaque token that is replaced at each use.
	RefreshRotating RefreshKind = "rotating"
)

// DefaultClientID is the claim client_id of a request without client.
const DefaultClientID = "default"

// Client is an OAuth client. Of three clients id and secret are public
// knowledge: bx (the command line, Terraform, COS SDKs), kube and ce (receivers
// of delegated refresh tokens).
type Client struct {
	ID      string
	Secret  secret.Value
	Refresh RefreshKind
	// Interactive marks a client that people log in with: its user logins get
	// login sessions (an API key only when it supports sessions).
	Interactive bool
	// Scope holds words that are added to the scope of its tokens.
	Scope string
	// public marks a secret that everybody knows.
	public bool
}

// Nobody is who asks without naming a client. It is compared by identity.
var Nobody = &Client{ID: DefaultClientID}

// builtin are the clients that official tools bring along. Their secrets are
// equal to their ids and in every client's source.
func builtin() []Client {
	return []Client{
		{ID: "bx", Secret: secret.New("bx"), Refresh: RefreshRotating, Interactive: true, public: true},
		{ID: "kube", Secret: secret.New("kube"), Refresh: RefreshRotating, Scope: "containers-kubernetes", public: true},
		{ID: "ce", Secret: secret.New("ce"), Refresh: RefreshRotating, public: true},
	}
}

// Config is what Clients are made from. Throttle is required.
type Config struct {
	// Clients are the configured ones, beside the built-in ones.
	Clients  []Client
	Throttle *throttle.Throttle
	// Limit bounds wrong secrets, per source; zero means DefaultLimit. Over it
	// right ones are refused too: an operator chose them, perhaps badly.
	Limit throttle.Limit
}

// DefaultLimit leaves room for a badly configured fleet behind one address and
// none for guessing.
var DefaultLimit = throttle.Limit{Burst: 20, Every: 5 * time.Second}

// Clients are the known clients. Safe for concurrent use.
type Clients struct {
	byID     map[string]*Client
	throttle *throttle.Throttle
	limit    throttle.Limit
}

// New joins the built-in clients with the configured ones, which win. It fails
// when one of these is not whole.
func New(cfg Config) (*Clients, error) {
	cs := &Clients{byID: map[string]*Client{}, throttle: cfg.Throttle, limit: cfg.Limit}
	if cs.limit == (throttle.Limit{}) {
		cs.limit = DefaultLimit
	}
	for _, c := range builtin() {
		cs.byID[c.ID] = &c
	}
	seen := map[string]bool{}
	for _, c := range cfg.Clients {
		switch {
		case c.ID == "" || c.ID == DefaultClientID || c.Secret.IsZero():
			return nil, fmt.Errorf("client %q needs an id other than %q and a secret", c.ID, DefaultClientID)
		case seen[c.ID]:
			return nil, fmt.Errorf("client %q is configured twice", c.ID)
		case c.Refresh != RefreshNone && c.Refresh != RefreshRotating:
			return nil, fmt.Errorf("client %q has refresh kind %q, known are %q and %q", c.ID, c.Refresh, RefreshNone, RefreshRotating)
		}
		seen[c.ID] = true
		cs.byID[c.ID] = &c
	}
	return cs, nil
}

// Credentials are a client's words for who it is.
type Credentials struct {
	// Given is false when the request names no client at all.
	Given  bool
	ID     string
	Secret secret.Value
}

// Authenticate gives the client that a request names, Nobody when it names
// none. Unknown ids and wrong secrets get one answer,
// and whoever gave too many is not heard, so that a guess that is right cannot
// be told from one that is wrong. Clients whose secret is public are not asked
// to wait: nothing is to be guessed about them.
func (cs *Clients) Authenticate(ctx context.Context, c Credentials, from netip.Addr) (_ *Client, err error) {
	if !c.Given {
		return Nobody, nil
	}
	known, ok := cs.byID[c.ID]
	if ok && known.public && known.Secret.Equal(c.Secret) {
		return known, nil
	}
	attempt, err := cs.throttle.Reserve(ctx, throttle.Bound{Limit: cs.limit, Who: throttle.Source(from)})
	if err != nil {
		return nil, err
	}
	defer func() { err = attempt.Done(err) }()
	if !ok || !known.Secret.Equal(c.Secret) {
		return nil, errUnknown()
	}
	return known, nil
}

func errUnknown() error {
	return &fault.Error{Kind: fault.Unauthenticated, Number: "BXNIM0310E", Message: "The provided client could not be found.",
		Details: "The client ID or the client secret is not right."}
}
