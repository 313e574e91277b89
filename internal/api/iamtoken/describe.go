package iamtoken

// The types of this file describe requests and answers that are read and
// written by hand, for the OpenAPI document. Tests hold them to the code.

// tokenForm is the form of POST /identity/token: the parameters of all grants.
type tokenForm struct {
	Tenants         string `header:"Ibm-Cloud-Tenant"`
	GrantType       string `form:"grant_type"`
	ResponseType    string `form:"response_type"`
	APIKey          string `form:"apikey"`
	RefreshToken    string `form:"refresh_token"`
	AccessToken     string `form:"access_token"`
	Username        string `form:"username"`
	Password        string `form:"password"`
	Passcode        string `form:"passcode"`
	Account         string `form:"account"`
	BSSAccount      string `form:"bss_account"`
	ProfileID       string `form:"profile_id"`
	ProfileCRN      string `form:"profile_crn"`
	ProfileName     string `form:"profile_name"`
	DesiredIAMID    string `form:"desired_iam_id"`
	ReceiverClients string `form:"receiver_client_ids"`
	DelegatedExpiry string `form:"delegated_refresh_token_expiry"`
	ClientID        string `form:"client_id"`
	ClientSecret    string `form:"client_secret"`
}

type introspectForm struct {
	Token        string `form:"token"`
	AccessToken  string `form:"access_token"`
	ClientID     string `form:"client_id"`
	ClientSecret string `form:"client_secret"`
}

type userInfoForm struct {
	AccessToken string `form:"access_token"`
}

type profilesForm struct {
	AccessToken  string `form:"access_token"`
	RefreshToken string `form:"refresh_token"`
	ClientID     string `form:"client_id"`
	ClientSecret string `form:"client_secret"`
}

type profilesQuery struct {
	AccessToken string `query:"access_token"`
}

type passcodeForm struct {
	RefreshToken string `form:"refresh_token"`
	Username     string `form:"username"`
	Password     string `form:"password"`
	ClientID     string `form:"client_id"`
	ClientSecret string `form:"client_secret"`
}

// tokenBody is what appendResponse writes.
type tokenBody struct {
	AccessToken       string `json:"access_token,omitempty"`
	RefreshToken      string `json:"refresh_token,omitempty"`
	DelegatedToken    string `json:"delegated_refresh_token,omitempty"`
	IDToken           string `json:"id_token,omitempty"`
	SessionID         string `json:"session_id,omitempty"`
	TokenType         string `json:"token_type,omitempty"`
	ExpiresIn         int64  `json:"expires_in,omitempty"`               // seconds
	Expiration        int64  `json:"expiration,omitempty"`               // seconds since 1970
	RefreshExpiration int64  `json:"refresh_token_expiration,omitempty"` // seconds since 1970
	Scope             string `json:"scope,omitempty"`
}

// keySet is the JWKS document.
type keySet struct {
	Keys []key `json:"keys"`
}

type key struct {
	Kty string `json:"kty"`
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	Use string `json:"use"`
	N   string `json:"n,omitempty"` // RSA
	E   string `json:"e,omitempty"`
	Crv string `json:"crv,omitempty"` // elliptic curves
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
}

type passcodeBody struct {
	Passcode string `json:"passcode"`
}

// claimsBody has the claims of a good token, or of a bad one the error that
// userinfo answers with status 200.
type claimsBody struct {
	introspection
	Context *errorContext `json:"context,omitempty"`
	Code    string        `json:"errorCode,omitempty"`
	Message string        `json:"errorMessage,omitempty"`
	Details string        `json:"errorDetails,omitempty"`
}
