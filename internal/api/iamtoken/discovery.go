package iamtoken

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/token"
)

// discoveryDocument is the OpenID configuration, with passcode_endpoint, which
// the command line reads.
type discoveryDocument struct {
	Issuer                string   `json:"issuer"`
	TokenEndpoint         string   `json:"token_endpoint"`
	PasscodeEndpoint      string   `json:"passcode_endpoint"`
	UserInfoEndpoint      string   `json:"userinfo_endpoint"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	ResponseTypes         []string `json:"response_types_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	Scopes                []string `json:"scopes_supported"`
	Claims                []string `json:"claims_supported"`
}

// discover makes the parts of the document that do not change.
func (a *API) discover() discoveryDocument {
	at := func(path string) string { return a.base + "/identity/" + path }
	return discoveryDocument{
		Issuer: a.tokens.Issuer(), TokenEndpoint: at("token"), PasscodeEndpoint: at("passcode"),
		UserInfoEndpoint: at("userinfo"), IntrospectionEndpoint: at("introspect"), EndSessionEndpoint: at("logout"), JWKSURI: at("keys"),
		ResponseTypes: []string{"cloud_iam", "delegated_refresh_token"},
		GrantTypes:    a.tokens.GrantTypes(),
		SubjectTypes:  []string{"public"}, TokenAuthMethods: []string{"client_secret_basic", "client_secret_post"},
		Scopes: []string{"openid", "ibm", "containers-kubernetes"},
		Claims: []string{"iam_id", "id", "realmid", "session_id", "jti", "identifier", "given_name", "family_name", "name", "email", "sub",
			"sub_type", "authn", "account", "iat", "exp", "iss", "grant_type", "scope", "client_id", "acr", "amr"},
	}
}

func (a *API) configuration(_ context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
	doc := a.discovery
	if _, alg, _ := a.ring.Signer(); alg != "" {
		doc.SigningAlgorithms = []string{string(alg)}
	}
	return httpapi.WriteJSON(w, c, http.StatusOK, doc)
}

func (a *API) keys(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, _ *http.Request) error {
	writeBody(w, c, http.StatusOK, a.ring.JWKS(ctx))
	return nil
}

// introspection is the answer of RFC 7662 with the claims of the token.
type introspection struct {
	Active bool `json:"active"`
	*token.Claims
}

func (a *API) introspect(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	if f.values[fieldAccessToken] == "" {
		f.values[fieldAccessToken] = f.values[fieldToken]
	}
	claims, err := a.tokens.Introspect(ctx, f.request(c, r))
	if err != nil {
		return err
	}
	return httpapi.WriteJSON(w, c, http.StatusOK, introspection{Active: claims != nil, Claims: claims})
}

// userInfo answers 200 to bad tokens, too, with the error in the body: clients
// of the official service look there.
func (a *API) userInfo(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	text := bearerOf(r)
	if text == "" && r.Method == http.MethodPost {
		f, err := readForm(w, r)
		if err != nil {
			return err
		}
		text = f.values[fieldAccessToken]
	}
	claims, err := a.tokens.UserInfo(ctx, text, c.Address)
	if err != nil {
		if errors.Is(err, fault.Invalid) {
			e := fault.Of(err)
			return httpapi.WriteJSON(w, c, http.StatusOK, struct {
				Active bool `json:"active"`
				errorBody
			}{false, a.errorBody(c, e, http.StatusOK)})
		}
		return err
	}
	return httpapi.WriteJSON(w, c, http.StatusOK, introspection{Active: true, Claims: claims})
}

// timeLayout is minutes with an offset, e.g. "2024-04-12T19:00+0000".
const timeLayout = "2006-01-02T15:04-0700"

type profileList struct {
	Count    int       `json:"count"`
	Profiles []profile `json:"profiles"`
}

type profile struct {
	ID           string `json:"id"`
	EntityTag    string `json:"entity_tag"`
	CRN          string `json:"crn"`
	Name         string `json:"name"`
	Description  string `json:"description,omitempty"`
	CreatedAt    string `json:"created_at"`
	ModifiedAt   string `json:"modified_at"`
	IAMID        string `json:"iam_id"`
	AccountID    string `json:"account_id"`
	TemplateID   string `json:"template_id,omitempty"`
	AssignmentID string `json:"assignment_id,omitempty"`
}

// profiles lists what the holder of a token may assume, across accounts.
func (a *API) profiles(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	f, err := readForm(w, r)
	if err != nil {
		return err
	}
	if f.values[fieldAccessToken] == "" && f.values[fieldRefreshToken] == "" {
		f.values[fieldAccessToken] = bearerOf(r)
	}
	found, err := a.tokens.Assumable(ctx, f.request(c, r))
	if err != nil {
		return err
	}
	list := profileList{Profiles: make([]profile, 0, len(found))}
	for _, p := range found {
		list.Profiles = append(list.Profiles, wireProfile(p))
	}
	slices.SortFunc(list.Profiles, func(x, y profile) int {
		return cmp.Or(cmp.Compare(x.AccountID, y.AccountID), cmp.Compare(x.Name, y.Name), cmp.Compare(x.ID, y.ID))
	})
	list.Count = len(list.Profiles)
	return httpapi.WriteJSON(w, c, http.StatusOK, list)
}

func wireProfile(p *identity.Profile) profile {
	return profile{
		ID: p.ID, EntityTag: p.Tag, CRN: crn.Of("iam-identity", p.Account, "profile", p.ID), Name: p.Name, Description: p.Description,
		CreatedAt: p.CreatedAt.UTC().Format(timeLayout), ModifiedAt: p.ModifiedAt.UTC().Format(timeLayout),
		IAMID: id.IAMOf(p.ID), AccountID: p.Account, TemplateID: p.Template, AssignmentID: p.Assignment,
	}
}
