package session

import "github.com/kagiban/kagiban/internal/fault"

// Errors have the numbers of the token envelope, which clients branch on: 0407E,
// 0408E and 0439E mean that they have to log in again.

func errInvalid(details string) error {
	return &fault.Error{Kind: fault.Invalid, Number: "BXNIM0407E", Message: "Provided refresh token is invalid.", Details: details}
}

// ErrExpired refuses a refresh token, or a login, whose time is over.
var ErrExpired error = &fault.Error{Kind: fault.Invalid, Number: "BXNIM0408E", Message: "Provided refresh token is expired."}

func errChain() error {
	return &fault.Error{Kind: fault.Invalid, Number: "BXNIM0407E", Message: "Provided token is invalid.",
		Details: "It came of too many other logins for one more. Log in anew."}
}

func errIdle(id string) error {
	return &fault.Error{Kind: fault.Invalid, Number: "BXNIM0439E", Message: "Session '" + fault.Echo(id) +
		"' is invalidated due to inactivity."}
}

func errPasscode() error {
	return &fault.Error{Kind: fault.Unauthenticated, Number: "BXNIM0602E", Message: "The credentials you provided are incorrect.",
		Details: "The passcode is wrong, used already or too old."}
}
