package token

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
)

// refuse makes an error of the token envelope. number is a documented BXNIM
// number; clients branch on 0407E, 0408E and 0439E (log in again) and show the
// others.
func refuse(kind fault.Kind, number, message, details string) *fault.Error {
	return &fault.Error{Kind: kind, Number: number, Message: message, Details: details}
}

func errMissing(property string) error {
	return &fault.Error{Kind: fault.Invalid, Number: "BXNIM0109E", Field: property, Message: "Property missing or empty.",
		Details: "Property '" + property + "' either missing or empty."}
}

func errValue(property, value string, valid ...string) error {
	e := &fault.Error{Kind: fault.Invalid, Number: "BXNIM0106E", Field: property,
		Message: fmt.Sprintf("Validation of property '%s' with value '%s' failed.", property, fault.Echo(masked(value)))}
	if len(valid) > 0 {
		e.Message += " Valid values: '" + strings.Join(valid, "', '") + "'"
	}
	return e
}

// masked shortens what may be a secret: a client that mixes its parameters up
// sends a key where a word belongs. Short words, URNs, CRNs and account ids are
// none.
func masked(value string) string {
	const shown, word = 4, 8
	if len(value) <= word || strings.HasPrefix(value, "urn:") || strings.HasPrefix(value, "crn:") || id.IsAccount(value) {
		return value
	}
	return value[:shown] + "…"
}

func errClientMissing(grant string) error {
	return refuse(fault.Unauthenticated, "BXNIM0308E", "No authorization header found",
		"Grant type "+grant+" needs a client in the Authorization header.")
}

func errKeyUnknown() error {
	return refuse(fault.Invalid, "BXNIM0415E", "Provided API key could not be found.", "")
}

func errKeyDisabled() error {
	return refuse(fault.Invalid, "BXNIM0462E", "Provided API key is disabled.", "")
}

func errKeyExpired() error {
	return refuse(fault.Invalid, "BXNIM0425E", "Provided API key is expired.", "")
}

func errUserInactive() error {
	return refuse(fault.Invalid, "BXNIM0410E", "Provided user not found or active.", "")
}

func errAccountInactive(account string) error {
	return refuse(fault.Invalid, "BXNIM0410E", "Provided user not found or active.", "The account "+account+" is not active.")
}

func errTokenInvalid(details string) error {
	return refuse(fault.Invalid, "BXNIM0407E", "Provided token is invalid.", details)
}

func errRefreshInvalid() error {
	return refuse(fault.Invalid, "BXNIM0407E", "Provided refresh token is invalid.", "")
}

func errSwitch(grant string) error {
	return refuse(fault.Invalid, "BXNIM0413E",
		"Cannot switch accounts for a token that was created using the grant type "+grant+".", "")
}

func errSubjectType(subType string) error {
	return refuse(fault.Invalid, "BXNIM0453E",
		"The refresh token contains subject type '"+subType+"' which is not supported. Supported: UserId, Profile.", "")
}

func errNotEligible(who, profile string) error {
	return refuse(fault.Invalid, "BXNIM0398E", "Selected trusted profile not eligible.",
		"The token with identifier '"+fault.Echo(who)+"' is not permitted to assume profile '"+fault.Echo(profile)+"'.")
}

func errAddress(from netip.Addr, list string) error {
	where := "unknown"
	if from.IsValid() {
		where = from.String()
	}
	return refuse(fault.Unauthenticated, "BXNIM0430E", "User login from given IP address is not permitted.",
		"The address "+where+" is not in the allowed IP addresses '"+fault.Echo(list)+"'.")
}

// errUsedFrom refuses the use of a good token: it is of no use to ask for another.
func errUsedFrom(from netip.Addr, list string) error {
	e := fault.Of(errAddress(from, list))
	return &fault.Error{Kind: fault.Forbidden, Code: "not_authorized", Number: e.Number, Details: e.Details,
		Message: "The token may not be used from this IP address."}
}

func errPassword(user string) error {
	return refuse(fault.Unauthenticated, "BXNIM0602E", "The credentials you provided are incorrect.",
		"User '"+fault.Echo(user)+"' could not be authenticated.")
}

// errMFA refuses an interactive login where the account demands a second
// factor: letting it through with the password alone would undo the demand.
func errMFA(account string) error {
	return refuse(fault.Invalid, "BXNIM0608E", "The account does not permit a login with user name and password or passcode alone.",
		"Account "+account+" demands another way to log in. Use an API key.")
}

func errTenant() error {
	return refuse(fault.Invalid, "BXNIM0106E", "The account of the credential is not in the list of header 'ibm-cloud-tenant'.", "")
}

// errBearer is the documented answer to an access token that is not good.
func errBearer(cause error, details string) error {
	return &fault.Error{Kind: fault.Unauthenticated, Code: "invalid_access_token", Message: "provided access token invalid",
		Details: details, Cause: cause}
}
