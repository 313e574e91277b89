package authz

// The types of this file describe what is read and written by hand, for the
// OpenAPI document.

type authzIn struct{ Body []questionDoc }

// questionDoc is one question.
type questionDoc struct {
	RequestID   string         `json:"requestId,omitempty"`
	Subject     subjectDoc     `json:"subject"`
	Action      string         `json:"action"`
	Resource    resourceDoc    `json:"resource"`
	Environment environmentDoc `json:"environment,omitzero"`
}

// subjectDoc names who asks: by attributes ("id", or those of a service), or by
// the middle part of a token that the caller has verified. Without accountId
// the subject is taken to have a token of the resource's account.
type subjectDoc struct {
	Attributes      map[string]string `json:"attributes,omitempty"`
	AccessTokenBody string            `json:"accessTokenBody,omitempty"`
}

// resourceDoc names what is asked about: by CRN, by attributes, or by both;
// "tags" may be a list.
type resourceDoc struct {
	CRN        string            `json:"crn,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// environmentDoc says from where the request comes, for rules.
type environmentDoc struct {
	Attributes map[string]string `json:"attributes,omitempty"`
}

type authzOut struct {
	CacheKeyPattern any         `json:"cacheKeyPattern"`
	Responses       []answerDoc `json:"responses"`
}

type answerDoc struct {
	RequestID string       `json:"requestId,omitempty"`
	Status    string       `json:"status"` // "200", "400" or "403"
	Decision  *decisionDoc `json:"authorizationDecision,omitempty"`
	Error     *errorDoc    `json:"error,omitempty"`
}

type decisionDoc struct {
	Permitted  bool          `json:"permitted"`
	Reason     string        `json:"reason"` // "IAM" for a denial
	Obligation obligationDoc `json:"obligation"`
}

// obligationDoc says which actions may be allowed from memory for how long.
type obligationDoc struct {
	Actions     []string       `json:"actions"`
	MaxAge      int            `json:"maxCacheAgeSeconds"`
	Subject     *subjectDoc    `json:"subject,omitempty"`
	Resource    *resourceDoc   `json:"resource,omitempty"`
	Environment environmentDoc `json:"environment,omitzero"`
}

type errorDoc struct {
	TransactionID string     `json:"transactionId"`
	InstanceID    string     `json:"instanceId"`
	Errors        []faultDoc `json:"errors"`
}

type faultDoc struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type bulkIn struct {
	Body struct {
		Subject     subjectDoc     `json:"subject"`
		Action      string         `json:"action"`
		Environment environmentDoc `json:"environment,omitzero"`
		Resources   struct {
			Shared map[string]string   `json:"sharedAttributes,omitempty"`
			Unique []map[string]string `json:"uniqueAttributes"`
		} `json:"resources"`
	}
}

type bulkOut struct {
	CacheKeyPattern any               `json:"cacheKeyPattern"`
	Decisions       []bulkDecisionDoc `json:"decisions"`
}

type bulkDecisionDoc struct {
	Decision   string        `json:"decision"` // "Permit" or "Deny"
	Reason     string        `json:"reason"`
	Obligation obligationDoc `json:"obligation"`
}
