package authz

import (
	"context"
	"io"
	"net/http"
	"sync"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/policy"
)

// buffers are lent to requests for bodies and answers.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// maxKept is the largest buffer that goes back: a bulk request of 1,000
// resources needs some 200 KB, which most calls do not.
const maxKept = 64 << 10

func giveBack(b *[]byte) {
	if cap(*b) <= maxKept {
		buffers.Put(b)
	}
}

// body reads the request's body into one string.
func body(w http.ResponseWriter, r *http.Request) (string, error) {
	in := http.MaxBytesReader(w, r.Body, httpapi.DefaultBodyLimit)
	buf := buffers.Get().(*[]byte)
	defer giveBack(buf)
	*buf = (*buf)[:0]
	for {
		if len(*buf) == cap(*buf) {
			*buf = append(*buf, 0)[:len(*buf)]
		}
		n, err := in.Read((*buf)[len(*buf):cap(*buf)])
		*buf = (*buf)[:len(*buf)+n]
		if err == io.EOF {
			return string(*buf), nil
		}
		if err != nil {
			return "", httpapi.BodyFault(err, httpapi.DefaultBodyLimit)
		}
	}
}

// send writes an answer that was put together in a buffer.
func send(w http.ResponseWriter, c *httpapi.Call, out []byte) {
	c.Status = http.StatusOK
	w.Header()["Content-Type"] = typeJSON
	// An error here means that the client is gone.
	_, _ = w.Write(out)
}

var typeJSON = []string{"application/json"}

// authorize answers up to a hundred questions.
func (a *API) authorize(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	text, err := body(w, r)
	if err != nil {
		return err
	}
	in := reader{scanner: scanner{text: text}, now: c.Now()}
	list, err := in.questions()
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer giveBack(buf)
	out := writer{buf: append((*buf)[:0], `{"cacheKeyPattern":`+cacheKeyPattern+`,"responses":[`...), advanced: wantsAdvanced(r)}
	for i := range list {
		if i > 0 {
			out.raw(`,`)
		}
		if err := a.answer(ctx, c, &out, &list[i]); err != nil {
			return err
		}
	}
	out.raw(`]}`)
	send(w, c, out.buf)
	*buf = out.buf
	return nil
}

// answer writes the answer to one question.
func (a *API) answer(ctx context.Context, c *httpapi.Call, out *writer, q *question) error {
	if err := ctx.Err(); err != nil {
		return err // nobody reads on
	}
	out.raw(`{`)
	if q.requestID != "" {
		out.raw(`"requestId":`)
		out.text(q.requestID)
		out.raw(`,`)
	}
	if bad := q.wrong(); bad != "" {
		out.refusal(c, "400", "invalid_body", bad)
		return nil
	}
	yes, err := a.mayAsk(ctx, c, q)
	if err != nil {
		return err
	}
	if !yes {
		out.refusal(c, "403", "not_authorized", notYours)
		return nil
	}
	s, err := a.snapshot(ctx, q.Resource.Account)
	if err != nil {
		return err
	}
	d, err := a.decide(ctx, s, q)
	if err != nil {
		return err
	}
	out.raw(`"status":"200","authorizationDecision":{"permitted":`)
	out.bool(d.Allowed)
	out.decision(s, q, d)
	out.raw(`}}`)
	return nil
}

// notYours is the answer to questions about what is another's.
const notYours = "The caller may not ask about resources of this service in this account."

// bulk answers one question about up to a thousand resources of one service and
// account.
func (a *API) bulk(ctx context.Context, c *httpapi.Call, w http.ResponseWriter, r *http.Request) error {
	text, err := body(w, r)
	if err != nil {
		return err
	}
	in := reader{scanner: scanner{text: text}, now: c.Now()}
	q, unique, err := in.bulk()
	if err != nil {
		return err
	}
	yes, err := a.mayAskAll(ctx, c, q, unique)
	if err != nil {
		return err
	}
	if !yes {
		return &fault.Error{Kind: fault.Forbidden, Code: "not_authorized", Message: notYours}
	}
	s, err := a.snapshot(ctx, q.Resource.Account)
	if err != nil {
		return err
	}
	buf := buffers.Get().(*[]byte)
	defer giveBack(buf)
	out := writer{buf: append((*buf)[:0], `{"cacheKeyPattern":`+cacheKeyPattern+`,"decisions":[`...), advanced: wantsAdvanced(r)}
	one := *q
	for i := range unique {
		if err := ctx.Err(); err != nil {
			return err // nobody reads on
		}
		one.Resource = unique[i]
		d, err := a.decide(ctx, s, &one)
		if err != nil {
			return err
		}
		if i > 0 {
			out.raw(`,`)
		}
		out.raw(`{"decision":`)
		if d.Allowed {
			out.raw(`"Permit"`)
		} else {
			out.raw(`"Deny"`)
		}
		out.decision(s, &one, d)
		out.raw(`}`)
	}
	out.raw(`]}`)
	send(w, c, out.buf)
	*buf = out.buf
	return nil
}

// mayAskAll is mayAsk for many resources of one service: for all of them at
// once, or for each.
func (a *API) mayAskAll(ctx context.Context, c *httpapi.Call, q *question, list []policy.Resource) (bool, error) {
	yes, err := a.mayAsk(ctx, c, q)
	for i := 0; !yes && err == nil && i < len(list); i++ {
		one, failed := c.May(ctx, actionAsk, list[i])
		if failed != nil || !one {
			return false, failed
		}
		yes = i == len(list)-1
	}
	return yes, err
}

// bulk reads a question and the resources that it is about. Its own resource
// has the attributes that all of them share.
func (r *reader) bulk() (*question, []policy.Resource, error) {
	var q question
	q.Environment.Now = r.now
	var unique []question
	err := r.object(func(name string) error {
		switch name {
		case "subject":
			return r.subject(&q)
		case "action":
			return r.text(&q.Action)
		case "environment":
			return r.environment(&q)
		case "resources":
			return r.resources(&q, &unique)
		}
		return r.skip(0)
	})
	if err == nil {
		err = r.end()
	}
	switch {
	case len(unique) > maxResources:
		return nil, nil, errBody("At most %d resources can be asked about at once.", maxResources)
	case err != nil:
		return nil, nil, syntax(err)
	case len(unique) == 0:
		return nil, nil, errBody("Property 'resources.uniqueAttributes' is missing or empty.")
	}
	list, err := join(&q, unique)
	return &q, list, err
}

func (r *reader) resources(q *question, unique *[]question) error {
	return r.object(func(name string) error {
		switch name {
		case "sharedAttributes":
			return r.object(func(key string) error { return r.attribute(key, q.resourceAttribute) })
		case "uniqueAttributes":
			return r.array(func() error {
				if len(*unique) > maxResources {
					return errSyntax
				}
				*unique = append(*unique, question{})
				u := &(*unique)[len(*unique)-1]
				return r.object(func(key string) error {
					if key == "crn" {
						return r.text(&u.crn)
					}
					return r.attribute(key, u.resourceAttribute)
				})
			})
		}
		return r.skip(0)
	})
}

// join gives the whole resources. All must be of one account, service and
// resource type: those of the first that names them.
func join(q *question, unique []question) ([]policy.Resource, error) {
	if q.bad != "" {
		return nil, errBody("%s", q.bad)
	}
	shared := q.Resource
	list := make([]policy.Resource, len(unique))
	for i := range unique {
		u := &unique[i]
		if u.crn != "" {
			u.named()
		}
		if u.bad != "" {
			return nil, errBody("%s", u.bad)
		}
		list[i] = merged(&shared, &u.Resource)
	}
	q.Resource = policy.Resource{Account: list[0].Account, ServiceName: list[0].ServiceName, ServiceType: list[0].ServiceType,
		ServiceGroupID: list[0].ServiceGroupID}
	q.finish()
	if bad := q.wrong(); bad != "" {
		return nil, errBody("%s", bad)
	}
	for i := range list {
		if l := &list[i]; l.Account != list[0].Account || l.ServiceName != list[0].ServiceName || l.ResourceType != list[0].ResourceType {
			return nil, errBody("The resources must be of one account, service and resource type.")
		}
	}
	return list, nil
}

// merged gives a resource with the shared attributes that it does not have.
func merged(shared, own *policy.Resource) policy.Resource {
	r := *own
	for _, part := range [...][2]*string{
		{&r.Account, &shared.Account}, {&r.ServiceName, &shared.ServiceName}, {&r.Region, &shared.Region},
		{&r.ServiceInstance, &shared.ServiceInstance}, {&r.ResourceType, &shared.ResourceType}, {&r.Resource, &shared.Resource},
		{&r.ResourceGroupID, &shared.ResourceGroupID}, {&r.ServiceType, &shared.ServiceType}, {&r.ServiceGroupID, &shared.ServiceGroupID},
	} {
		if *part[0] == "" {
			*part[0] = *part[1]
		}
	}
	// The full slices make appending copy.
	r.Tags = append(shared.Tags[:len(shared.Tags):len(shared.Tags)], r.Tags...)
	r.Attributes = append(r.Attributes[:len(r.Attributes):len(r.Attributes)], shared.Attributes...)
	return r
}
