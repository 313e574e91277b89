package iamtoken

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/token"
)

// field is a known parameter. Unknown ones are ignored, as the official service
// does.
type field int

const (
	fieldGrantType field = iota
	fieldResponseType
	fieldAPIKey
	fieldRefreshToken
	fieldAccessToken
	fieldToken
	fieldUsername
	fieldPassword
	fieldPasscode
	fieldAccount
	fieldBSSAccount
	fieldProfileID
	fieldProfileCRN
	fieldProfileName
	fieldDesired
	fieldReceivers
	fieldDelegatedExpiry
	fieldClientID
	fieldClientSecret
	fieldCount
)

func fieldOf(name string) (field, bool) {
	switch name {
	case "grant_type":
		return fieldGrantType, true
	case "response_type":
		return fieldResponseType, true
	case "apikey":
		return fieldAPIKey, true
	case "refresh_token":
		return fieldRefreshToken, true
	case "access_token":
		return fieldAccessToken, true
	case "token":
		return fieldToken, true
	case "username":
		return fieldUsername, true
	case "password":
		return fieldPassword, true
	case "passcode":
		return fieldPasscode, true
	case "account":
		return fieldAccount, true
	case "bss_account":
		return fieldBSSAccount, true
	case "profile_id":
		return fieldProfileID, true
	case "profile_crn":
		return fieldProfileCRN, true
	case "profile_name":
		return fieldProfileName, true
	case "desired_iam_id":
		return fieldDesired, true
	case "receiver_client_ids":
		return fieldReceivers, true
	case "delegated_refresh_token_expiry":
		return fieldDelegatedExpiry, true
	case "client_id":
		return fieldClientID, true
	case "client_secret":
		return fieldClientSecret, true
	}
	return 0, false
}

// form holds the known parameters of a request. Absent and empty are the same.
type form struct{ values [fieldCount]string }

// maxParameters bounds the pairs of one form; clients send under ten.
const maxParameters = 100

// errForm refuses a form that cannot be read. It repeats nothing of it: what is
// malformed may be a secret.
func errForm(details string) error {
	return &fault.Error{Kind: fault.Invalid, Number: "BXNIM0106E", Field: "form",
		Message: "The form parameters could not be read.", Details: details}
}

// parse reads an application/x-www-form-urlencoded text: the body of a request,
// then its query. One parameter with two different values, wherever they stand,
// is refused, since two readers of the request could disagree on which one
// counts.
func (f *form) parse(text string) error {
	for n := 0; text != ""; n++ {
		if n == maxParameters {
			return errForm("There are too many parameters.")
		}
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		name, value, _ := strings.Cut(pair, "=")
		name, ok := unescape(name)
		if !ok {
			return errForm("A parameter name is not encoded correctly.")
		}
		at, known := fieldOf(name)
		if !known {
			continue
		}
		value, ok = unescape(value)
		if !ok || strings.IndexByte(value, 0) >= 0 || !utf8.ValidString(value) {
			return errForm("Parameter '" + name + "' is not encoded correctly.")
		}
		switch {
		case value == "":
		case f.values[at] == "":
			f.values[at] = value
		case f.values[at] != value:
			return errForm("Parameter '" + name + "' is given twice, with different values.")
		}
	}
	return nil
}

// unescape decodes one name or value. Text without escapes is given back as it
// is, without a copy.
func unescape(s string) (string, bool) {
	first := strings.IndexAny(s, "%+")
	if first < 0 {
		return s, true
	}
	out := make([]byte, first, len(s))
	copy(out, s)
	for i := first; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := unhex(s[i+1]), unhex(s[i+2])
			if high > 15 || low > 15 {
				return "", false
			}
			out = append(out, high<<4|low)
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}

// unhex gives the value of a hex digit, 255 for other bytes.
func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readForm reads the parameters of a request from its body and its query: old
// samples and clients send everything in the query with an empty body.
func readForm(w http.ResponseWriter, r *http.Request) (*form, error) {
	f := new(form)
	if r.Body != nil && r.ContentLength != 0 {
		buf := bodies.Get().(*bytes.Buffer)
		defer bodies.Put(buf)
		buf.Reset()
		if _, err := io.Copy(buf, http.MaxBytesReader(w, r.Body, bodyLimit)); err != nil {
			unread := *httpapi.BodyFault(err, bodyLimit)
			unread.Number = "BXNIM0106E"
			return nil, &unread
		}
		if err := f.parse(buf.String()); err != nil {
			return nil, err
		}
	}
	if r.URL.RawQuery != "" {
		if len(r.URL.RawQuery) > bodyLimit {
			return nil, errForm("The query is too long.")
		}
		if err := f.parse(r.URL.RawQuery); err != nil {
			return nil, err
		}
	}
	return f, f.unequivocal(r)
}

// unequivocal refuses a request that says one thing under two names, and
// differently: the account, the token, the client.
func (f *form) unequivocal(r *http.Request) error {
	v := &f.values
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	switch {
	case differ(v[fieldAccount], v[fieldBSSAccount]):
		return errForm("Parameters 'account' and 'bss_account' differ.")
	case differ(v[fieldToken], v[fieldAccessToken]):
		return errForm("Parameters 'token' and 'access_token' differ.")
	}
	if v[fieldClientID] == "" && v[fieldClientSecret] == "" {
		return nil
	}
	for _, header := range r.Header["Authorization"] {
		c, basic := parseBasic(header)
		if basic && (differ(c.ID, v[fieldClientID]) || differ(c.Secret.Reveal(), v[fieldClientSecret])) {
			return errForm("The Authorization header and the form name different clients.")
		}
	}
	return nil
}

// maxAuthorization bounds the Authorization header of a client.
const maxAuthorization = 4 << 10

// clientOf reads the OAuth client of a request: from a Basic header, else from
// client_id and client_secret in the form. Other schemes name no client.
func clientOf(r *http.Request, f *form) oauth.Credentials {
	clientID, clientSecret := f.values[fieldClientID], f.values[fieldClientSecret]
	if header := r.Header["Authorization"]; len(header) > 0 {
		if c, basic := parseBasic(header[0]); basic {
			return c
		}
	}
	if clientSecret == "" && (clientID == "" || clientID == oauth.DefaultClientID) {
		return oauth.Credentials{}
	}
	return oauth.Credentials{Given: true, ID: clientID, Secret: secret.New(clientSecret)}
}

// parseBasic reads a Basic header (RFC 7617) and tells whether it is one. A
// malformed one names a client that does not exist.
func parseBasic(header string) (c oauth.Credentials, basic bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return c, false
	}
	c.Given = true
	encoded = strings.TrimRight(strings.TrimSpace(encoded), "=")
	if len(encoded) > maxAuthorization {
		return c, true
	}
	raw, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		return c, true
	}
	name, password, ok := strings.Cut(string(raw), ":")
	if ok {
		c.ID, c.Secret = name, secret.New(password)
	}
	return c, true
}

// bearerOf gives the token of a Bearer header, "" without one.
func bearerOf(r *http.Request) string {
	scheme, text, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(text)
}

// request puts a form and its circumstances together.
func (f *form) request(c *httpapi.Call, r *http.Request) *token.Request {
	v := &f.values
	req := &token.Request{
		Client: clientOf(r, f), GrantType: v[fieldGrantType], ResponseType: v[fieldResponseType],
		APIKey: secret.New(v[fieldAPIKey]), RefreshToken: secret.New(v[fieldRefreshToken]), AccessToken: secret.New(v[fieldAccessToken]),
		Username: v[fieldUsername], Password: secret.New(v[fieldPassword]), Passcode: secret.New(v[fieldPasscode]),
		Account: v[fieldAccount], ProfileID: v[fieldProfileID], ProfileCRN: v[fieldProfileCRN], ProfileName: v[fieldProfileName],
		DesiredIAMID:      v[fieldDesired],
		ReceiverClientIDs: v[fieldReceivers], DelegatedExpiry: v[fieldDelegatedExpiry],
		Address: c.Address, Agent: c.Agent, TransactionID: c.TransactionID,
	}
	if req.Account == "" {
		req.Account = v[fieldBSSAccount]
	}
	if tenants := r.Header["Ibm-Cloud-Tenant"]; len(tenants) > 0 {
		req.Tenants = strings.Join(tenants, ",")
	}
	return req
}
