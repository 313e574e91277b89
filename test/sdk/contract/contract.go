// Package contract holds a running server to its own OpenAPI document: the
// document must be valid, and every request that the server takes and every
// answer that it gives must be as the document says. It sends nothing of its
// own but the request for the document.
package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// Checker is an http.RoundTripper that compares what passes with the document.
// It is safe for concurrent use.
type Checker struct {
	router routers.Router
	next   http.RoundTripper

	mu     sync.Mutex // guards the fields below
	seen   map[string]int
	faults []string
}

// New reads the document of the server at url and checks it.
func New(ctx context.Context, url string) (*Checker, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/openapi.json", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	loader := openapi3.NewLoader()
	loader.Context = ctx
	doc, err := loader.LoadFromData(raw)
	if err != nil {
		return nil, fmt.Errorf("loading the document: %w", err)
	}
	if err := doc.Validate(ctx); err != nil {
		return nil, fmt.Errorf("the document is not valid: %w", err)
	}
	doc.Servers = nil // the paths are compared, whatever the host
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("reading the document's paths: %w", err)
	}
	return &Checker{router: router, next: http.DefaultTransport, seen: map[string]int{}}, nil
}

// Faults are the differences found so far, each once.
func (c *Checker) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults
}

// Answered counts the successful answers of an operation that were compared.
func (c *Checker) Answered(operation string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[operation]
}

// Operations counts the operations with a successful answer.
func (c *Checker) Operations() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

func (c *Checker) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		if f == text {
			return
		}
	}
	c.faults = append(c.faults, text)
}

// The validator knows JSON, forms and plain text of itself.
func init() {
	for _, media := range []string{"text/html", "text/xml"} {
		openapi3filter.RegisterBodyDecoder(media, openapi3filter.FileBodyDecoder)
	}
}

// RoundTrip implements http.RoundTripper. A difference is noted, not an error:
// the caller gets what the server said.
func (c *Checker) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := take(&r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer, err := take(&resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	c.compare(r, body, resp, answer)
	return resp, nil
}

func take(body *io.ReadCloser) ([]byte, error) {
	if *body == nil {
		return nil, nil
	}
	defer (*body).Close()
	return io.ReadAll(*body)
}

func (c *Checker) compare(r *http.Request, body []byte, resp *http.Response, answer []byte) {
	asked := r.Clone(context.Background())
	asked.Body = io.NopCloser(bytes.NewReader(body))
	// One more slash at the end is the same operation, on some paths the SDKs' own.
	asked.URL.Path, asked.URL.RawPath = strings.TrimSuffix(asked.URL.Path, "/"), strings.TrimSuffix(asked.URL.RawPath, "/")
	if asked.URL.Path == "" {
		asked.URL.Path = "/"
	}
	route, params, err := c.router.FindRoute(asked)
	if err != nil {
		if resp.StatusCode/100 == 2 {
			c.fault("%s %s is answered and not in the document", r.Method, r.URL.Path)
		}
		return
	}
	id := route.Operation.OperationID
	input := &openapi3filter.RequestValidationInput{
		Request: asked, PathParams: params, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
			MultiError: true},
	}
	if resp.StatusCode/100 == 2 {
		c.mu.Lock()
		c.seen[id]++
		c.mu.Unlock()
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			c.fault("%s took a request that the document forbids: %s", id, reason(err))
		}
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: resp.StatusCode, Header: resp.Header, Options: input.Options,
		Body: io.NopCloser(bytes.NewReader(answer)),
	})
	if err != nil {
		c.fault("%s answered %d as the document does not say: %s", id, resp.StatusCode, reason(err))
	}
}

// reason shortens an error to where and what, without the values: they differ
// from call to call.
func reason(err error) string {
	var schema *openapi3.SchemaError
	if errors.As(err, &schema) {
		return "at /" + strings.Join(schema.JSONPointer(), "/") + ": " + schema.Reason
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
