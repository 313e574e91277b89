package authz

import (
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

// cacheKeyPattern tells clients by which attributes they may keep answers.
const cacheKeyPattern = `{"order":["subject","resource","action"],"subject":[["id"],["id","scope"]],` +
	`"resource":[[],["serviceName"],["serviceName","accountId"],` +
	`["serviceName","accountId","serviceInstance"],["serviceName","accountId","serviceInstance","resourceType"],` +
	`["serviceName","accountId","serviceInstance","resourceType","resource"]]}`

// wantsAdvanced tells whether the client can keep more than the action that it
// asked for.
func wantsAdvanced(r *http.Request) bool {
	v := r.Header["X-Accept-Advanced-Obligation"]
	return len(v) > 0 && v[0] == "true"
}

// writer puts an answer together.
type writer struct {
	buf      []byte
	advanced bool
}

func (w *writer) raw(s string) { w.buf = append(w.buf, s...) }

func (w *writer) bool(b bool) { w.buf = strconv.AppendBool(w.buf, b) }

const hexDigits = "0123456789abcdef"

// text writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func (w *writer) text(s string) {
	w.buf = append(w.buf, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			w.buf = append(append(w.buf, s[start:i]...), `\ufffd`...)
			i++
			start = i
			continue
		}
		w.buf = append(w.buf, s[start:i]...)
		switch c {
		case '"', '\\':
			w.buf = append(w.buf, '\\', c)
		default:
			w.buf = append(w.buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	w.buf = append(append(w.buf, s[start:]...), '"')
}

// refusal writes the end of an answer to a question that is not answered.
func (w *writer) refusal(c *httpapi.Call, status, code, message string) {
	w.raw(`"status":"` + status + `","error":{"transactionId":`)
	w.text(c.TransactionID)
	w.raw(`,"instanceId":"kagiban","errors":[{"code":"` + code + `","message":`)
	w.text(message)
	w.raw(`}]}}`)
}

// decision writes reason and obligation: what a client may keep, and how long.
func (w *writer) decision(s *policy.Snapshot, q *question, d policy.Decision) {
	if d.Allowed {
		w.raw(`,"reason":"","obligation":{"actions":[`)
	} else {
		w.raw(`,"reason":"IAM","obligation":{"actions":[`)
	}
	keep := policy.Obligation{MaxAge: d.MaxAge(q.Environment.Now)}
	switch {
	case d.Allowed && w.advanced && keep.MaxAge > 0:
		keep = policy.ObligationOf(s, &q.Request, d)
		w.list(keep.Actions, q.Action)
	default:
		w.text(q.Action)
	}
	w.raw(`],"maxCacheAgeSeconds":`)
	w.buf = strconv.AppendInt(w.buf, int64(keep.MaxAge/time.Second), 10)
	if w.advanced {
		w.raw(`,"subject":{"attributes":{"id":`)
		w.text(q.Subject.IAMID)
		w.raw(`}},"resource":{"attributes":{`)
		w.resource(&q.Resource)
		w.raw(`}},"environment":{"attributes":{}}`)
	}
	w.raw(`}`)
}

// list writes actions; the one that was asked for is among them even when a
// rule allows it, which then bounds the age.
func (w *writer) list(actions []string, asked string) {
	found := false
	for i, action := range actions {
		if i > 0 {
			w.raw(`,`)
		}
		w.text(action)
		found = found || action == asked
	}
	if found {
		return
	}
	if len(actions) > 0 {
		w.raw(`,`)
	}
	w.text(asked)
}

func (w *writer) resource(r *policy.Resource) {
	first := true
	for _, part := range [...][2]string{
		{`"serviceName":`, r.ServiceName}, {`"accountId":`, r.Account}, {`"region":`, r.Region}, {`"serviceInstance":`, r.ServiceInstance},
		{`"resourceType":`, r.ResourceType}, {`"resource":`, r.Resource},
	} {
		if part[1] == "" {
			continue
		}
		if !first {
			w.raw(`,`)
		}
		first = false
		w.raw(part[0])
		w.text(part[1])
	}
}
