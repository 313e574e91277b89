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
	"github.com/kagiban/kagiban/internal/token"
)

// Options say how the server is reached.
type Options struct {
	// BaseURL is the public URL of the server, without path: the discovery
	// document names endpoints under it. The issuer may be another one.
	BaseURL string
}

// API serves the operations of the token service. It is safe for concurrent use.
type API struct {
	tokens *token.Service
	base   string
	host   string
	// instance names this process in error contexts.
	instance  string
	family    *httpapi.Family
	discovery discoveryDocument
	protect   *http.CrossOriginProtection
}

// New makes the API over a token service.
func New(tokens *token.Service, opts Options) *API {
	a := &API{tokens: tokens, base: strings.TrimSuffix(opts.BaseURL, "/"), instance: id.Generator{}.Hex(4),
		protect: http.NewCrossOriginProtection()}
	if u, err := url.Parse(a.base); err == nil {
		a.host = u.Host
	}
	a.family = &httpapi.Family{Name: "iamtoken", Title: "IAM Token", Service: "iam-identity", WriteError: a.writeError, ErrorType: reflect.TypeFor[errorBody]()}
	a.discovery = a.discover()
	return a
}

// bodyLimit bounds forms. The largest parameter is an access token of at most
// 16 KiB.
const bodyLimit = 64 << 10

// Operations gives the rows of the table.
func (a *API) Operations() []httpapi.Operation {
	f := a.family
	credential := httpapi.Public("the credential is in the form")
	published := httpapi.Public("verifiers and clients read it before they have a token")
	rows := []httpapi.Operation{
		httpapi.Describing[tokenForm, tokenBody](httpapi.OldRaw(f, "get_token", http.MethodPost, "/identity/token", http.StatusOK, credential, a.token)),
		httpapi.Describing[none, keySet](httpapi.OldRaw(f, "get_keys", http.MethodGet, "/identity/keys", http.StatusOK, published, a.keys)),
		httpapi.Describing[none, discoveryDocument](httpapi.OldRaw(f, "get_openid_configuration", http.MethodGet, "/identity/.well-known/openid-configuration", http.StatusOK, published, a.configuration)),
		httpapi.Describing[none, discoveryDocument](httpapi.OldRaw(f, "get_openid_configuration_of_host", http.MethodGet, "/.well-known/openid-configuration", http.StatusOK, published, a.configuration)),
		httpapi.Describing[introspectForm, introspection](httpapi.OldRaw(f, "introspect_token", http.MethodPost, "/identity/introspect", http.StatusOK, httpapi.Public("the client authenticates with its secret"), a.introspect)),
		httpapi.Describing[none, claimsBody](httpapi.OldRaw(f, "get_user_info", http.MethodGet, "/identity/userinfo", http.StatusOK, httpapi.Public("answers 200 to bad tokens, too"), a.userInfo)),
		httpapi.Describing[userInfoForm, claimsBody](httpapi.OldRaw(f, "post_user_info", http.MethodPost, "/identity/userinfo", http.StatusOK, httpapi.Public("answers 200 to bad tokens, too"), a.userInfo)),
		httpapi.Describing[profilesForm, profileList](httpapi.OldRaw(f, "list_assumable_profiles", http.MethodPost, "/identity/profiles", http.StatusOK, credential, a.profiles)),
		httpapi.Describing[profilesQuery, profileList](httpapi.OldRaw(f, "get_assumable_profiles", http.MethodGet, "/identity/profiles", http.StatusOK, credential, a.profiles)),
		httpapi.OldRaw(f, "get_passcode_page", http.MethodGet, "/identity/passcode", http.StatusOK, httpapi.Public("shows a form that asks for the password"), a.passcodePage).AnsweringText("text/html"),
		httpapi.Describing[passcodeForm, passcodeBody](httpapi.OldRaw(f, "create_passcode", http.MethodPost, "/identity/passcode", http.StatusOK, credential, a.passcode)).AnsweringText("text/html"),
		httpapi.OldRaw(f, "logout", http.MethodGet, "/identity/logout", http.StatusOK, credential, a.logout).AnsweringText("text/html"),
		httpapi.OldRaw(f, "post_logout", http.MethodPost, "/identity/logout", http.StatusNoContent, credential, a.logout),
		httpapi.OldRaw(f, "update_session_state", http.MethodPatch, "/v1/sessions/{session_id}/state", http.StatusNoContent,
			httpapi.Public("the client authenticates with its secret; session ids cannot be guessed"), a.sessionState),
		httpapi.OldNotBuilt(f, "get_authorization", http.MethodGet, "/identity/authorize", http.StatusFound, httpapi.Public("begins a login in the browser")),
	}
	for i := range rows {
		rows[i] = rows[i].Limited(bodyLimit)
	}
	return rows
}
