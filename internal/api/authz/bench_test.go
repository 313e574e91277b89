package authz_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
)

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// BenchmarkAuthorize measures one question through the router, without sockets
// and without tokens.
func BenchmarkAuthorize(b *testing.B) {
	s := serve(b)
	s.Grant(apitest.Member, "Reader", "serviceName=kms")
	raw, err := json.Marshal([]m{ask(apitest.Member, "kms.secrets.list", crn("kms", "i1:key:k1"))})
	if err != nil {
		b.Fatal(err)
	}
	for name, caller := range map[string]string{"service": kms, "reader": apitest.Owner} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := &discard{header: http.Header{}}
			for b.Loop() {
				clear(w.header)
				r := httptest.NewRequest("POST", "/v2/authz", strings.NewReader(string(raw)))
				r.Header.Set("Authorization", "Bearer "+caller)
				s.Router.ServeHTTP(w, r)
			}
		})
	}
}
