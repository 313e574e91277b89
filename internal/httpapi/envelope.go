package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
)

// errorsEnvelope is the error body of the identity, policy and group APIs.
// status_code is a number on the wire although the SDK's model says string.
type errorsEnvelope struct {
	Trace      string      `json:"trace"`
	Errors     []errorItem `json:"errors"`
	StatusCode int         `json:"status_code"`
}

type errorItem struct {
	Code        string `json:"code"`
	MessageCode string `json:"message_code,omitempty"`
	Message     string `json:"message"`
	Details     any    `json:"details,omitempty"`
}

// InMessage gives an error with its details as part of the message, and without
// a message number: for families whose errors have no text beside the message.
func InMessage(e *fault.Error) *fault.Error {
	out := *e
	out.Number, out.Details = "", ""
	if e.Details != "" {
		out.Message = strings.TrimSuffix(e.Message, ".") + ". " + e.Details
	}
	return &out
}

// WriteErrors renders the errors[] envelope. Clients show errors[0].message,
// so message and details never hold internals; details is the fault's Body
// when it has one (the conflicting policy).
func WriteErrors(w http.ResponseWriter, c *Call, e *fault.Error, status int) {
	item := errorItem{Code: e.Code, MessageCode: e.Number, Message: e.Message}
	if item.Code == "" {
		item.Code = string(e.Kind)
	}
	if item.Message == "" {
		item.Message = http.StatusText(status)
	}
	switch {
	case e.Body != nil:
		item.Details = e.Body
	case e.Details != "":
		item.Details = e.Details
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	// An error here means that the client is gone.
	_ = enc.Encode(errorsEnvelope{Trace: c.TransactionID, Errors: []errorItem{item}, StatusCode: status})
}
