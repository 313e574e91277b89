package authz

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/policy"
)

// question is one question as it was sent.
type question struct {
	requestID string
	policy.Request
	crn string
	// shown is true when the subject is that of a token; session is the token's.
	shown   bool
	session string
	// expired is true when the subject's token had run out.
	expired bool
	// bad says what is wrong with the question; it is answered with 400.
	bad string
}

// reader reads the questions of one body at one time.
type reader struct {
	scanner
	now time.Time
}

// maxQuestions is the documented largest number of questions in one request,
// maxResources that of resources in a bulk request.
const (
	maxQuestions = 100
	maxResources = 1000
)

// What one question may hold. The service that this one is compatible with
// names no bounds; without any, one request could ask for hours of comparing.
const (
	maxText   = 4096 // bytes of a name or value
	maxValues = 250  // tags, attributes of the resource and of the environment, account groups: of each
)

// bytesPerQuestion is about the length of a question that names its subject by
// token; others are a quarter of that.
const bytesPerQuestion = 1 << 10

// errBody is the answer to a body that holds no questions.
func errBody(format string, args ...any) error {
	e := fault.New(fault.Invalid, format, args...)
	e.Code = "invalid_body"
	return e
}

func syntax(err error) error {
	if err == nil {
		return nil
	}
	return errBody("The request body is not what it should be: %v.", err)
}

// questions reads an array of them. What is wrong with one alone is kept in it.
func (r *reader) questions() ([]question, error) {
	// Room for one in most cases: a question takes more memory than its text.
	list := make([]question, 0, min(1+len(r.scanner.text)/bytesPerQuestion, maxQuestions))
	if r.next() != '[' {
		return nil, errBody("The request body must be an array of questions.")
	}
	tooMany := false
	err := r.array(func() error {
		if tooMany = len(list) == maxQuestions; tooMany {
			return errSyntax
		}
		list = append(list, question{})
		return r.question(&list[len(list)-1])
	})
	if err == nil {
		err = r.end()
	}
	switch {
	case tooMany:
		return nil, errBody("At most %d questions can be asked at once.", maxQuestions)
	case err != nil:
		return nil, syntax(err)
	case len(list) == 0:
		return nil, errBody("The request body holds no question.")
	}
	return list, nil
}

func (r *reader) question(q *question) error {
	q.Environment.Now = r.now
	err := r.object(func(name string) error {
		switch name {
		case "subject":
			return r.subject(q)
		case "action":
			return r.text(&q.Action)
		case "resource":
			return r.resource(q)
		case "environment":
			return r.environment(q)
		case "requestId":
			return r.text(&q.requestID)
		}
		return r.skip(0)
	})
	if err == nil {
		q.finish()
	}
	return err
}

// text takes a string; null leaves it.
func (r *reader) text(to *string) error {
	if r.next() == 'n' {
		return r.word("null")
	}
	text, err := r.str()
	*to = text
	return err
}

// attributes calls fn for each attribute of {"attributes": {…}}, and other for
// the properties beside.
func (r *reader) attributes(fn func(key, value string), other func(name string) error) error {
	return r.object(func(name string) error {
		if name != "attributes" {
			return other(name)
		}
		return r.object(func(key string) error { return r.attribute(key, fn) })
	})
}

// attribute calls fn for each value of an attribute: one, or those of a list.
func (r *reader) attribute(key string, fn func(key, value string)) error {
	if r.next() == '[' {
		return r.array(func() error { return r.one(key, fn) })
	}
	return r.one(key, fn)
}

func (r *reader) one(key string, fn func(key, value string)) error {
	value, absent, err := r.value()
	if err == nil && !absent {
		fn(key, value)
	}
	return err
}

func (r *reader) subject(q *question) error {
	return r.attributes(q.subjectAttribute, func(name string) error {
		if name != "accessTokenBody" {
			return r.skip(0)
		}
		var body string
		if err := r.text(&body); err != nil || body == "" {
			return err
		}
		q.token(body)
		return nil
	})
}

func (r *reader) resource(q *question) error {
	return r.attributes(q.resourceAttribute, func(name string) error {
		if name != "crn" {
			return r.skip(0)
		}
		return r.text(&q.crn)
	})
}

func (r *reader) environment(q *question) error {
	return r.attributes(q.environmentAttribute, func(string) error { return r.skip(0) })
}

// fits tells whether an attribute is short enough; else the question is bad.
func (q *question) fits(key, value string) bool {
	if len(key) <= maxText && len(value) <= maxText {
		return true
	}
	q.bad = "An attribute is longer than " + strconv.Itoa(maxText) + " bytes."
	return false
}

// room tells whether there may be one more beside n; else the question is bad.
func (q *question) room(n int) bool {
	if n < maxValues {
		return true
	}
	q.bad = "There are more than " + strconv.Itoa(maxValues) + " attributes, or values of one."
	return false
}

// subjectAttribute notes one attribute of who asks: an identity, or a service
// that acts for itself.
func (q *question) subjectAttribute(key, value string) {
	source := &q.Subject.Source
	if !q.fits(key, value) || key == policy.AttrAccountGroupID && !q.room(len(source.AccountGroupIDs)) {
		return
	}
	switch key {
	case "id", "iam_id":
		q.Subject.IAMID = value
	case policy.AttrAccountID:
		q.Subject.Account, source.AccountID = value, value
	case "realmid":
		q.Subject.Realm = value
	case policy.AttrServiceName:
		source.ServiceName = value
	case policy.AttrServiceInstance:
		source.ServiceInstance = value
	case policy.AttrRegion:
		source.Region = value
	case policy.AttrResourceType:
		source.ResourceType = value
	case policy.AttrResource:
		source.Resource = value
	case policy.AttrResourceGroupID:
		source.ResourceGroupID = value
	case policy.AttrEnterpriseID:
		source.EnterpriseID = value
	case policy.AttrAccountGroupID:
		source.AccountGroupIDs = append(source.AccountGroupIDs, value)
	}
}

// resourceAttribute notes one attribute of what is asked about.
func (q *question) resourceAttribute(key, value string) {
	r := &q.Resource
	if !q.fits(key, value) {
		return
	}
	switch key {
	case policy.AttrAccountID:
		r.Account = value
	case policy.AttrServiceName:
		r.ServiceName = value
	case policy.AttrRegion:
		r.Region = value
	case policy.AttrServiceInstance:
		r.ServiceInstance = value
	case policy.AttrResourceType:
		r.ResourceType = value
	case policy.AttrResource:
		r.Resource = value
	case policy.AttrResourceGroupID:
		r.ResourceGroupID = value
	case policy.AttrServiceType:
		r.ServiceType = value
	case policy.AttrServiceGroupID:
		r.ServiceGroupID = value
	case "tags":
		if q.room(len(r.Tags)) {
			r.Tags = append(r.Tags, value)
		}
	default:
		if q.room(len(r.Attributes)) {
			r.Attributes = append(r.Attributes, policy.NamedValue{Name: key, Value: value})
		}
	}
}

func (q *question) environmentAttribute(key, value string) {
	if !q.fits(key, value) {
		return
	}
	if key == "ipAddress" {
		if ip, err := netip.ParseAddr(value); err == nil {
			q.Environment.SourceIP = ip
			return
		}
	}
	if q.room(len(q.Environment.Attributes)) {
		q.Environment.Attributes = append(q.Environment.Attributes, policy.NamedValue{Name: key, Value: value})
	}
}

// grantPasscode is the grant of a login that shows more than a password.
const grantPasscode = "urn:ibm:params:oauth:grant-type:passcode"

// token reads the middle part of the subject's token. The caller has verified
// it: it is the service that the token was shown to.
func (q *question) token(body string) {
	q.shown = true
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(body, "="))
	if err != nil {
		q.bad = "Property 'subject.accessTokenBody' is not the middle part of a token."
		return
	}
	var expires, key, grant string
	s := scanner{text: string(raw)}
	err = s.object(func(name string) (err error) {
		switch name {
		case "iam_id":
			q.Subject.IAMID, _, err = s.value()
		case "realmid":
			q.Subject.Realm, _, err = s.value()
		case "exp":
			expires, _, err = s.value()
		case "apikey_id":
			key, _, err = s.value()
		case "grant_type":
			grant, _, err = s.value()
		case "authn":
			err = s.object(func(name string) (err error) {
				if name != "iam_id" {
					return s.skip(0)
				}
				q.Subject.Login.IAMID, _, err = s.value()
				return err
			})
		case "session_id":
			q.session, _, err = s.value()
		case "account":
			err = s.object(func(name string) (err error) {
				if name != "bss" {
					return s.skip(0)
				}
				q.Subject.Account, _, err = s.value()
				return err
			})
		default:
			err = s.skip(0)
		}
		return err
	})
	if err != nil || s.end() != nil || q.Subject.IAMID == "" {
		q.bad = "Property 'subject.accessTokenBody' is not the middle part of a token."
		return
	}
	q.Subject.Login.Password = key == "" && grant != "" && grant != grantPasscode
	if seconds, err := strconv.ParseInt(expires, 10, 64); err == nil && q.Environment.Now.Unix() >= seconds {
		q.expired = true
	}
}

// finish derives what follows from the parts.
func (q *question) finish() {
	if q.crn != "" {
		q.named()
	}
	sub := &q.Subject
	switch {
	case sub.Source.ServiceName != "":
		sub.Kind = policy.KindService
	case strings.HasPrefix(sub.IAMID, id.CRNPrefix):
		sub.Kind = policy.KindService
		sub.Source = policy.SourceOf(strings.TrimPrefix(sub.IAMID, id.CRNPrefix))
		sub.Account = sub.Source.AccountID
	default:
		sub.Kind = policy.KindOf(sub.IAMID)
	}
	if sub.Account == "" && !(q.shown && sub.Kind == policy.KindUser) { // that token is bound to no account
		sub.Account = q.Resource.Account
	}
	switch {
	case q.bad != "":
	case sub.Kind == policy.KindAnonymous:
		q.bad = "Property 'subject' names nobody."
	case q.Resource.Account == "":
		q.bad = "Property 'resource' names no account."
	case q.Resource.ServiceName == "" && q.Resource.ServiceType == "" && q.Resource.ServiceGroupID == "":
		q.bad = "Property 'resource' names no service."
	}
}

// wrong says what is wrong with a question about an action, "" for nothing.
func (q *question) wrong() string {
	if q.bad == "" && q.Action == "" {
		return "Property 'action' is missing or empty."
	}
	return q.bad
}

// named takes the attributes of the resource's name; they count more than
// those that were sent beside it.
func (q *question) named() {
	c, err := crn.Parse(q.crn)
	if err != nil || len(q.crn) > maxText {
		q.bad = "Property 'resource.crn' is no CRN."
		return
	}
	r := &q.Resource
	for _, part := range [...]struct {
		to    *string
		value string
	}{
		{&r.Account, c.Account()}, {&r.ServiceName, c.Service}, {&r.Region, c.Region}, {&r.ServiceInstance, c.Instance},
		{&r.ResourceType, c.ResourceType}, {&r.Resource, c.Resource},
	} {
		if part.value != "" {
			*part.to = part.value
		}
	}
}
