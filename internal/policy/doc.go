// Package policy decides who may do what to which resource.
//
// It holds the neutral policy document and its validation, the compiled
// catalogue of services, actions and roles, an immutable snapshot of the access
// rules of one account, and Decide, the only function that says yes. Explain,
// WhoCan, ActionsOn, RolesOn and Diff answer the questions around a decision
// from the same data and the same matching code.
//
// The package is pure: the same snapshot and the same request give the same
// answer. It reads no store, no clock (the time of a decision is part of the
// request) and no network. It does not own wire shapes (package document
// beneath it has the v1 and v2 JSON), entity tags, history, authentication,
// the state of identities, or the text of errors that clients see.
package policy
