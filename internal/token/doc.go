// Package token is the token service: the grants of POST /identity/token, the
// claims of access tokens, login sessions, refresh tokens and passcodes, the
// ring of signing keys in the store, and the check of bearer tokens for every
// other API.
//
// An exchange passes the same phases whatever its grant: client, grant (who
// asks), state of account and identity, limits (addresses, tenants, MFA,
// sessions, lifetimes), claims, signature, response. A grant only finds out
// who asks; it cannot leave a phase out.
//
// The package starts no goroutine. Its owner must call Service.Start once
// before the first request (or beside it), Service.Maintain every few seconds
// while it serves (rotation of signing keys, activity counters, activity of
// sessions, sweeping of expired records), and Service.Close after the last
// request and before the store is closed. A crash loses the counts and session
// activity since the last Maintain, nothing else.
//
// It does not own API keys, service IDs, profiles, users or account settings,
// nor what a caller may do: it reads the state of the former and hands the
// latter's question on as a Principal.
package token
