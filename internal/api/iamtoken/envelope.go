package iamtoken

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
)

// errorBody is the error envelope of the token service, which differs from that
// of /v1. The command line prints errorDetails when it is there, errorMessage
// otherwise.
type errorBody struct {
	Context errorContext `json:"context"`
	Code    string       `json:"errorCode"`
	Message string       `json:"errorMessage"`
	Details string       `json:"errorDetails,omitempty"`
}

type errorContext struct {
	RequestID   string `json:"requestId"` // equal to the header transaction-id
	RequestType string `json:"requestType"`
	UserAgent   string `json:"userAgent"`
	URL         string `json:"url"`
	InstanceID  string `json:"instanceId"`
	ThreadID    string `json:"threadId"`
	Host        string `json:"host"`
	StartTime   string `json:"startTime"`
	EndTime     string `json:"endTime"`
	ElapsedTime string `json:"elapsedTime"` // milliseconds, as text
	Locale      string `json:"locale"`
	ClusterName string `json:"clusterName"`
}

// errorTime is e.g. "09.06.2026 21:26:27:205 UTC". The package time knows
// fractions after a point or comma only, so the milliseconds come separately.
const errorTime = "02.01.2006 15:04:05"

func formatErrorTime(t time.Time) string {
	t = t.UTC()
	millis := strconv.Itoa(1000 + t.Nanosecond()/int(time.Millisecond))[1:]
	return t.Format(errorTime) + ":" + millis + " UTC"
}

// requestTypes are the values of requestType that are not Identity_Token.
var requestTypes = map[string]string{
	"get_keys":                         "incoming.Identity_Keys",
	"get_openid_configuration":         "incoming.Identity_Configuration",
	"get_openid_configuration_of_host": "incoming.Identity_Configuration",
	"introspect_token":                 "incoming.Identity_Introspect",
	"get_user_info":                    "incoming.Identity_UserInfo",
	"post_user_info":                   "incoming.Identity_UserInfo",
	"list_assumable_profiles":          "incoming.Identity_Profiles",
	"get_assumable_profiles":           "incoming.Identity_Profiles",
	"get_passcode_page":                "incoming.Identity_Passcode",
	"create_passcode":                  "incoming.Identity_Passcode",
	"logout":                           "incoming.Identity_Logout",
	"post_logout":                      "incoming.Identity_Logout",
	"get_authorization":                "incoming.Identity_Authorize",
	"update_session_state":             "incoming.Session_Update",
}

func (a *API) errorBody(c *httpapi.Call, e *fault.Error, status int) errorBody {
	requestType, ok := requestTypes[c.Op.ID]
	if !ok {
		requestType = "incoming.Identity_Token"
	}
	elapsed := time.Since(c.Start)
	body := errorBody{
		Context: errorContext{
			RequestID: c.TransactionID, RequestType: requestType, UserAgent: c.Agent, URL: a.base, InstanceID: a.instance,
			ThreadID: c.RequestID, Host: a.host, StartTime: formatErrorTime(c.Start), EndTime: formatErrorTime(c.Start.Add(elapsed)),
			ElapsedTime: strconv.FormatInt(elapsed.Milliseconds(), 10), Locale: "en_US", ClusterName: "kagiban",
		},
		Code: e.Number, Message: e.Message, Details: e.Details,
	}
	if body.Code == "" {
		body.Code = e.Code
	}
	if body.Code == "" {
		body.Code = string(e.Kind)
	}
	if body.Message == "" {
		body.Message = http.StatusText(status)
	}
	return body
}

// writeError renders the envelope. Where tokens are made there is no
// WWW-Authenticate: clients would ask a person for a password where an API key is
// wrong.
func (a *API) writeError(w http.ResponseWriter, c *httpapi.Call, e *fault.Error, status int) {
	raw, err := json.Marshal(a.errorBody(c, e, status))
	if err != nil { // texts only: cannot be
		raw = []byte(`{"errorCode":"internal_error","errorMessage":"An internal error occurred."}`)
	}
	if c.Op.ID == opToken {
		w.Header().Del("WWW-Authenticate")
	}
	writeBody(w, c, status, raw)
}
