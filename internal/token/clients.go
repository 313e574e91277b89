package token

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/kagiban/kagiban/internal/secret"
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

// NotSupported stands in refresh_token when there is none.
const NotSupported = "not_supported"

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

// noClient is who asks without naming a client.
var noClient = &Client{ID: DefaultClientID}

// builtin are the clients that official tools bring along. Their secrets are
// equal to their ids and in every client's source.
func builtin() []Client {
	return []Client{
		{ID: "bx", Secret: secret.New("bx"), Refresh: RefreshRotating, Interactive: true, public: true},
		{ID: "kube", Secret: secret.New("kube"), Refresh: RefreshRotating, Scope: "containers-kubernetes", public: true},
		{ID: "ce", Secret: secret.New("ce"), Refresh: RefreshRotating, public: true},
	}
}

// clientTable joins the built-in clients with the configured ones, which win.
func clientTable(configured []Client) (map[string]*Client, error) {
	table := map[string]*Client{}
	for _, c := range builtin() {
		table[c.ID] = &c
	}
	seen := map[string]bool{}
	for _, c := range configured {
		switch {
		case c.ID == "" || c.ID == DefaultClientID || c.Secret.IsZero():
			return nil, fmt.Errorf("client %q needs an id other than %q and a secret", c.ID, DefaultClientID)
		case seen[c.ID]:
			return nil, fmt.Errorf("client %q is configured twice", c.ID)
		case c.Refresh != RefreshNone && c.Refresh != RefreshRotating:
			return nil, fmt.Errorf("client %q has refresh kind %q, known are %q and %q", c.ID, c.Refresh, RefreshNone, RefreshRotating)
		}
		seen[c.ID] = true
		table[c.ID] = &c
	}
	return table, nil
}

// ClientIDs gives the ids of the known clients in order.
func (s *Service) ClientIDs() []string { return slices.Sorted(maps.Keys(s.clients)) }

// Credentials are a client's words for who it is.
type Credentials struct {
	// Given is false when the request names no client at all.
	Given  bool
	ID     string
	Secret secret.Value
}

// client authenticates a client. Unknown ids and wrong secrets get one answer,
// and whoever gave too many is not heard, so that a guess that is right cannot
// be told from one that is wrong. Clients whose secret is public are not asked
// to wait: nothing is to be guessed about them.
func (s *Service) client(c Credentials, from netip.Addr) (*Client, error) {
	if !c.Given {
		return noClient, nil
	}
	known, ok := s.clients[c.ID]
	if ok && known.public && known.Secret.Equal(c.Secret) {
		return known, nil
	}
	limit, who := s.cfg.Limits.Client, source(from)
	if err := s.throttle.open(limit, who); err != nil {
		return nil, err
	}
	if !ok || !known.Secret.Equal(c.Secret) {
		return nil, s.throttle.failed(limit, who, errClientUnknown())
	}
	return known, nil
}
