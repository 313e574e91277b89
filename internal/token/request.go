package token

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
)

// Request is a request for tokens: the parameters of POST /identity/token that
// mean something, and where it comes from. Parameters that are not given are
// empty.
type Request struct {
	Client oauth.Credentials

	GrantType    string
	ResponseType string // words joined by space or comma; "" means cloud_iam

	APIKey       secret.Value
	RefreshToken secret.Value
	AccessToken  secret.Value
	Username     string
	Password     secret.Value
	Passcode     secret.Value

	// Account is the account to bind a login to, or, in an assume request, that
	// of ProfileName.
	Account     string
	ProfileID   string
	ProfileCRN  string
	ProfileName string
	// DesiredIAMID is whom a service wants to act as.
	DesiredIAMID string

	ReceiverClientIDs string // comma-separated
	DelegatedExpiry   string // seconds

	// Tenants is the header ibm-cloud-tenant.
	Tenants       string
	Address       netip.Addr // the real client's address
	Agent         string
	TransactionID string
}

// Response is what a grant gives. Empty fields are not part of the answer.
type Response struct {
	AccessToken           string
	RefreshToken          string
	DelegatedRefreshToken string
	IDToken               string
	SessionID             string
	Scope                 string
	ExpiresIn             int64 // seconds, equal to exp - iat of the token
	Expiration            int64 // seconds since 1970, equal to exp
	RefreshExpiration     int64 // seconds since 1970, 0 without refresh token
}

// wanted is the parsed response_type.
type wanted struct {
	access, delegated bool
	receivers         []string
	delegatedLife     time.Duration
}

// Bounds of delegated refresh tokens.
const (
	maxReceivers      = 20
	maxClientIDLength = 100
)

// responseTypes reads response_type. ims_portal and iam_cookie are known and
// add nothing here: there is no classic infrastructure and no console cookie,
// and the command line asks for the former at every login.
func responseTypes(r *Request) (wanted, error) {
	if r.ResponseType == "" || r.ResponseType == "cloud_iam" {
		return wanted{access: true}, nil
	}
	var w wanted
	for _, word := range strings.FieldsFunc(r.ResponseType, func(c rune) bool { return c == ' ' || c == ',' }) {
		switch word {
		case "cloud_iam", "ims_portal", "iam_cookie":
			w.access = true
		case "delegated_refresh_token":
			w.delegated = true
		default:
			return w, errValue("response_type", r.ResponseType, "cloud_iam", "delegated_refresh_token")
		}
	}
	if !w.access && !w.delegated {
		return w, errValue("response_type", r.ResponseType, "cloud_iam", "delegated_refresh_token")
	}
	if !w.delegated {
		return w, nil
	}
	return w, w.readDelegation(r)
}

func (w *wanted) readDelegation(r *Request) error {
	for receiver := range strings.SplitSeq(r.ReceiverClientIDs, ",") {
		receiver = strings.TrimSpace(receiver)
		if receiver == "" || slices.Contains(w.receivers, receiver) {
			continue
		}
		if len(receiver) > maxClientIDLength || len(w.receivers) == maxReceivers {
			return errValue("receiver_client_ids", r.ReceiverClientIDs)
		}
		w.receivers = append(w.receivers, receiver)
	}
	if len(w.receivers) == 0 {
		return errMissing("receiver_client_ids")
	}
	w.delegatedLife = defaultDelegatedLife
	if r.DelegatedExpiry == "" {
		return nil
	}
	n, err := strconv.Atoi(r.DelegatedExpiry)
	if err != nil || n < 1 || time.Duration(n) > session.MaxDelegatedLife/time.Second {
		return errValue("delegated_refresh_token_expiry", r.DelegatedExpiry)
	}
	w.delegatedLife = time.Duration(n) * time.Second
	return nil
}
