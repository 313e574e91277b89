// Package iamtoken is the wire of the token service: everything under
// /identity and PATCH /v1/sessions/{session_id}/state, in the shapes that
// official SDKs and the command line send and read. It parses forms, calls one
// method of package token and writes the answer; rules of grants, sessions and
// tokens live there.
package iamtoken

import (
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/signing/keyring"
	"github.com/kagiban/kagiban/internal/token"
)

// Config is what an API is made from.
type Config struct {
	Tokens *token.Service
	Keys   *keyring.Keyring
	// BaseURL is the public URL of the server, without path: the discovery
	// document names endpoints under it. The issuer may be another one.
	BaseURL string
}

// API serves the operations of the token service. It is safe for concurrent use.
type API struct {
	tokens *token.Service
	ring   *keyring.Keyring
	base   string
	host   string
	// instance names this process in error contexts.
	instance  string
	family    *httpapi.Family
	discovery discoveryDocument
	protect   *http.CrossOriginProtection
}

// New makes the API over a token service.
func New(cfg Config) *API {
	a := &API{tokens: cfg.Tokens, ring: cfg.Keys, base: strings.TrimSuffix(cfg.BaseURL, "/"), instance: id.Generator{}.Hex(4),
		protect: http.NewCrossOriginProtection()}
	if u, err := url.Parse(a.base); err == nil {
		a.host = u.Host
	}
	a.family = &httpapi.Family{Name: "iamtoken", Title: "IAM Token", Service: "iam-identity", WriteError: a.writeError,
		ErrorType: reflect.TypeFor[errorBody]()}
	a.discovery = a.discover()
	return a
}

// bodyLimit bounds forms. The largest parameter is an access token of at most
// 16 KiB.
const bodyLimit = 64 << 10

// opToken is the operation that makes tokens.
const opToken = "get_token"

// Why operations take callers without a bearer token.
const (
	inForm    = "the credential is in the form"
	published = "verifiers and clients read it before they have a token"
	anyToken  = "answers 200 to bad tokens, too"
	clients   = "the client authenticates with its secret"
)

// Operations gives the rows of the table.
func (a *API) Operations() []httpapi.Operation {
	var (
		none     = httpapi.Type[httpapi.None]()
		document = httpapi.Type[discoveryDocument]()
		claims   = httpapi.Type[claimsBody]()
		profiles = httpapi.Type[profileList]()
	)
	const page = "text/html"
	return httpapi.Table(a.family,
		httpapi.Raw{ID: opToken, Method: http.MethodPost, Path: "/identity/token", Alias: "/oidc/token", Status: 200, Public: inForm,
			Takes: httpapi.Type[tokenForm](), Gives: httpapi.Type[tokenBody](), Serve: a.token},
		httpapi.Raw{ID: "get_keys", Method: http.MethodGet, Path: "/identity/keys", Status: 200, Public: published, AnyOrigin: true,
			Takes: none, Gives: httpapi.Type[keySet](), Serve: a.keys},
		httpapi.Raw{ID: "get_openid_configuration", Method: http.MethodGet, Path: "/identity/.well-known/openid-configuration", Status: 200,
			Public: published, AnyOrigin: true, Takes: none, Gives: document, Serve: a.configuration},
		httpapi.Raw{ID: "get_openid_configuration_of_host", Method: http.MethodGet, Path: "/.well-known/openid-configuration", Status: 200,
			Public: published, AnyOrigin: true, Takes: none, Gives: document, Serve: a.configuration},
		httpapi.Raw{ID: "introspect_token", Method: http.MethodPost, Path: "/identity/introspect", Status: 200, Public: clients,
			Takes: httpapi.Type[introspectForm](), Gives: httpapi.Type[introspection](), Serve: a.introspect},
		httpapi.Raw{ID: "get_user_info", Method: http.MethodGet, Path: "/identity/userinfo", Status: 200, Public: anyToken,
			Takes: none, Gives: claims, Serve: a.userInfo},
		httpapi.Raw{ID: "post_user_info", Method: http.MethodPost, Path: "/identity/userinfo", Status: 200, Public: anyToken,
			Takes: httpapi.Type[userInfoForm](), Gives: claims, Serve: a.userInfo},
		httpapi.Raw{ID: "list_assumable_profiles", Method: http.MethodPost, Path: "/identity/profiles", Status: 200, Public: inForm,
			Takes: httpapi.Type[profilesForm](), Gives: profiles, Serve: a.profiles},
		httpapi.Raw{ID: "get_assumable_profiles", Method: http.MethodGet, Path: "/identity/profiles", Status: 200, Public: inForm,
			Takes: httpapi.Type[profilesQuery](), Gives: profiles, Serve: a.profiles},
		httpapi.Raw{ID: "get_passcode_page", Method: http.MethodGet, Path: "/identity/passcode", Status: 200,
			Public: "shows a form that asks for the password", OutText: page, Serve: a.passcodePage},
		httpapi.Raw{ID: "create_passcode", Method: http.MethodPost, Path: "/identity/passcode", Status: 200, Public: inForm,
			Takes: httpapi.Type[passcodeForm](), Gives: httpapi.Type[passcodeBody](), OutText: page, Serve: a.passcode},
		httpapi.Raw{ID: "logout", Method: http.MethodGet, Path: "/identity/logout", Status: 200, Public: inForm,
			OutText: page, Serve: a.logout},
		httpapi.Raw{ID: "post_logout", Method: http.MethodPost, Path: "/identity/logout", Status: 204, Public: inForm, Serve: a.logout},
		httpapi.Raw{ID: "update_session_state", Method: http.MethodPatch, Path: "/v1/sessions/{session_id}/state", Status: 204,
			Public: clients + "; session ids cannot be guessed", Serve: a.sessionState},
		httpapi.NotBuilt{ID: "get_authorization", Method: http.MethodGet, Path: "/identity/authorize", Status: 302,
			Public: "begins a login in the browser"},
	)
}
