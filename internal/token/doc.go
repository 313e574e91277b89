// Package token is the token service: the grants of POST /identity/token, the
// claims of access tokens, and the check of bearer tokens for every other API.
//
// An exchange passes the same phases whatever its grant: client, grant (who
// asks), state of account and identity, limits (addresses, tenants, MFA,
// sessions, lifetimes), claims, signature, response. A grant only finds out
// who asks; it cannot leave a phase out.
//
// The package starts no goroutine. Its owner must call Service.Flush every few
// seconds while it serves, and Service.Close after the last request and before
// the store is closed. A crash loses the counts since the last Flush, nothing
// else.
//
// It does not own API keys, service IDs, profiles, users or account settings,
// nor sessions and what descends from them, the clients, the signing keys, or
// what a caller may do: it reads the state of the first, stands on the next,
// and hands the last question on as a Principal.
package token
