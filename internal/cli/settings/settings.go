// Package settings keeps what the command line remembers between two runs: the
// server, the session's tokens, the targets and a few preferences, in one JSON
// file that only its owner can read. It neither talks to a server nor knows
// what a token says.
package settings

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
)

// Settings are the contents of the file. The zero value is that of a user who
// has never logged in.
type Settings struct {
	// APIEndpoint is the server's base URL, "" if none was ever named.
	APIEndpoint string
	// SSLDisabled accepts any TLS certificate of that server.
	SSLDisabled bool

	// Tokens are those of the session, zero when logged out.
	Tokens  Tokens
	Account Account
	Region  string
	// ResourceGroup is the targeted one, zero if none.
	ResourceGroup ResourceGroup
	LoginAt       time.Time

	// AssumedProfile is the trusted profile that the session acts as, zero if
	// none; then Fallback holds the identity to return to.
	AssumedProfile Profile
	Fallback       Fallback

	// HTTPTimeout bounds one call, in seconds; 0 means the default.
	HTTPTimeout int
	// Trace is "", "true", "false" or the path of a file.
	Trace string
	// Color is "", "true" or "false".
	Color string
}

// Tokens are those of one session.
type Tokens struct {
	Access  secret.Value
	Refresh secret.Value // zero when the session cannot be renewed
}

// Account is the targeted account. Name is "" where the session cannot know it.
type Account struct {
	GUID    string `json:"GUID"`
	Name    string `json:"Name"`
	Owner   string `json:"Owner,omitempty"`
	Classic string `json:"Classic,omitempty"` // linked classic account
}

// ResourceGroup is the targeted resource group.
type ResourceGroup struct {
	GUID string `json:"GUID"`
	Name string `json:"Name"`
}

// Profile names a trusted profile.
type Profile struct {
	ID   string `json:"ID"`
	Name string `json:"Name"`
}

// Fallback is the identity behind an assumed profile.
type Fallback struct {
	Account Account
	Tokens  Tokens
}

// LoggedIn tells whether there is a session, alive or not.
func (s *Settings) LoggedIn() bool { return !s.Tokens.Access.IsZero() }

// Logout forgets the session and its targets and keeps server and preferences.
func (s *Settings) Logout() {
	*s = Settings{
		APIEndpoint: s.APIEndpoint, SSLDisabled: s.SSLDisabled, Region: s.Region,
		HTTPTimeout: s.HTTPTimeout, Trace: s.Trace, Color: s.Color,
	}
}

// file is the JSON form, with the names that scripts around the official
// command line read; the only place where tokens are plain text.
type file struct {
	APIEndpoint             string
	SSLDisabled             bool
	IAMToken                string
	IAMRefreshToken         string
	Account                 Account
	Profile                 Profile
	Region                  string
	ResourceGroup           ResourceGroup
	LoginAt                 time.Time
	FallbackAccount         Account
	FallbackIAMTokens       fileTokens
	AssumedTrustedProfileID string `json:"AssumedTrustedProfileId"`
	HTTPTimeout             int
	Trace                   string
	ColorEnabled            string
}

type fileTokens struct {
	IAMToken        string
	IAMRefreshToken string
}

const bearer = "Bearer "

// MarshalJSON writes the file's form, tokens included.
func (s Settings) MarshalJSON() ([]byte, error) {
	return json.Marshal(file{
		APIEndpoint:             s.APIEndpoint,
		SSLDisabled:             s.SSLDisabled,
		IAMToken:                authorization(s.Tokens.Access),
		IAMRefreshToken:         s.Tokens.Refresh.Reveal(),
		Account:                 s.Account,
		Profile:                 s.AssumedProfile,
		Region:                  s.Region,
		ResourceGroup:           s.ResourceGroup,
		LoginAt:                 s.LoginAt,
		FallbackAccount:         s.Fallback.Account,
		FallbackIAMTokens:       fileTokens{authorization(s.Fallback.Tokens.Access), s.Fallback.Tokens.Refresh.Reveal()},
		AssumedTrustedProfileID: s.AssumedProfile.ID,
		HTTPTimeout:             s.HTTPTimeout,
		Trace:                   s.Trace,
		ColorEnabled:            s.Color,
	})
}

// UnmarshalJSON reads the file's form.
func (s *Settings) UnmarshalJSON(text []byte) error {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	*s = Settings{
		APIEndpoint:    f.APIEndpoint,
		SSLDisabled:    f.SSLDisabled,
		Tokens:         tokens(f.IAMToken, f.IAMRefreshToken),
		Account:        f.Account,
		Region:         f.Region,
		ResourceGroup:  f.ResourceGroup,
		LoginAt:        f.LoginAt,
		AssumedProfile: Profile{ID: f.AssumedTrustedProfileID},
		Fallback:       Fallback{Account: f.FallbackAccount, Tokens: tokens(f.FallbackIAMTokens.IAMToken, f.FallbackIAMTokens.IAMRefreshToken)},
		HTTPTimeout:    f.HTTPTimeout,
		Trace:          f.Trace,
		Color:          f.ColorEnabled,
	}
	if f.Profile.ID == f.AssumedTrustedProfileID {
		s.AssumedProfile.Name = f.Profile.Name
	}
	return nil
}

func authorization(access secret.Value) string {
	if access.IsZero() {
		return ""
	}
	return bearer + access.Reveal()
}

func tokens(access, refresh string) Tokens {
	return Tokens{Access: secret.New(strings.TrimPrefix(access, bearer)), Refresh: secret.New(refresh)}
}
