package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// basicClient is the OAuth client of command lines, "bx:bx": only with it does
// the token service hand out refresh tokens.
const basicClient = "Basic Yng6Yng="

// noRefreshToken is what the token service answers in place of a refresh token.
const noRefreshToken = "not_supported"

// Token is an answer of the token service.
type Token struct {
	Access  secret.Value
	Refresh secret.Value // zero when the session cannot be renewed
}

// ByAPIKey exchanges an API key.
func (c *Client) ByAPIKey(ctx context.Context, key secret.Value) (Token, error) {
	return c.grant(ctx, url.Values{
		"grant_type": {"urn:ibm:params:oauth:grant-type:apikey"},
		"apikey":     {key.Reveal()},
	})
}

// ByPassword exchanges a user name and password. Account may be "".
func (c *Client) ByPassword(ctx context.Context, user string, password secret.Value, account string) (Token, error) {
	form := url.Values{"grant_type": {"password"}, "username": {user}, "password": {password.Reveal()}}
	if account != "" {
		form.Set("account", account)
	}
	return c.grant(ctx, form)
}

// ByPasscode exchanges a one-time passcode.
func (c *Client) ByPasscode(ctx context.Context, passcode secret.Value) (Token, error) {
	return c.grant(ctx, url.Values{
		"grant_type": {"urn:ibm:params:oauth:grant-type:passcode"},
		"passcode":   {passcode.Reveal()},
	})
}

// ByRefreshToken renews a session. A non-empty account asks to switch to that
// account, which the server refuses for sessions that began with an API key.
func (c *Client) ByRefreshToken(ctx context.Context, refresh secret.Value, account string) (Token, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}}
	if account != "" {
		form.Set("account", account)
		form.Set("bss_account", account) // the name that older servers read
	}
	return c.grant(ctx, form)
}

// Assume exchanges an access token for one of a trusted profile.
func (c *Client) Assume(ctx context.Context, access secret.Value, profileID string) (Token, error) {
	return c.grant(ctx, url.Values{
		"grant_type":   {"urn:ibm:params:oauth:grant-type:assume"},
		"access_token": {access.Reveal()},
		"profile_id":   {profileID},
	})
}

func (c *Client) grant(ctx context.Context, form url.Values) (Token, error) {
	form.Set("response_type", "cloud_iam")
	answer, err := c.form(ctx, "/identity/token", form)
	if err != nil {
		return Token{}, err
	}
	var out struct {
		Access  secret.Value `json:"access_token"`
		Refresh secret.Value `json:"refresh_token"`
	}
	if err := decode(answer, &out); err != nil {
		return Token{}, err
	}
	if out.Access.IsZero() {
		return Token{}, fmt.Errorf("the answer of %s holds no access token; is it an IAM server?", c.cfg.Base)
	}
	if out.Refresh.Reveal() == noRefreshToken {
		out.Refresh = secret.Value{}
	}
	return Token{Access: out.Access, Refresh: out.Refresh}, nil
}

// AssumableProfiles lists the trusted profiles, of all accounts, that the
// identity behind an access token may assume.
func (c *Client) AssumableProfiles(ctx context.Context, access secret.Value) ([]Object[Profile], error) {
	answer, err := c.form(ctx, "/identity/profiles", url.Values{"access_token": {access.Reveal()}})
	if err != nil {
		return nil, err
	}
	var out struct {
		Profiles []Object[Profile] `json:"profiles"`
	}
	return out.Profiles, decode(answer, &out)
}

func (c *Client) form(ctx context.Context, path string, form url.Values) ([]byte, error) {
	header := http.Header{}
	header.Set("Authorization", basicClient)
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.send(ctx, http.MethodPost, path, header, []byte(form.Encode()), nil)
}

// Claims are the parts of an access token that a client shows or acts on.
type Claims struct {
	IAMID   string `json:"iam_id"`
	Subject string `json:"sub"`
	SubType string `json:"sub_type"` // "", "ServiceId", "Profile", "CRN"
	Email   string `json:"email"`
	Account struct {
		ID      string `json:"bss"` // "" when the token is bound to no account
		Classic string `json:"ims"` // linked classic account, "" if none
	} `json:"account"`
	Expires int64 `json:"exp"` // seconds since 1970
}

// User is how an identity is shown to people: a user's e-mail address, the
// subject of any other.
func (c Claims) User() string { return firstOf(c.Email, c.Subject, c.IAMID) }

// ExpiresBefore tells whether the token is dead at t.
func (c Claims) ExpiresBefore(t time.Time) bool { return !time.Unix(c.Expires, 0).After(t) }

// ParseClaims reads an access token without checking its signature: only the
// server can do that, and the client has it from the server.
func ParseClaims(access secret.Value) (Claims, error) {
	parts := strings.Split(access.Reveal(), ".")
	if len(parts) != 3 {
		return Claims{}, errors.New("reading the access token: not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return Claims{}, errors.New("reading the access token: the payload is not base64url")
	}
	var claims Claims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return Claims{}, errors.New("reading the access token: the payload is not a JSON object of claims")
	}
	if claims.IAMID == "" {
		return Claims{}, errors.New("reading the access token: it names no identity")
	}
	return claims, nil
}
