package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/httpapi"
)

type titled struct {
	Body struct {
		Name string `json:"name"`
	}
}

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCompressedBodiesAreUnpackedWithinBounds(t *testing.T) {
	type answer struct {
		Name string `json:"name"`
	}
	b := newBench(t, nil, one(httpapi.Op[titled, httpapi.None, answer]{ID: "make", Method: http.MethodPost, Path: "/make", Status: 200,
		Public: public, Limit: 1 << 20, Do: func(_ context.Context, _ *httpapi.Call, in *titled, _ httpapi.None) (*answer, error) {
			return &answer{in.Body.Name}, nil
		}}))
	good := packed(t, `{"name":"one"}`)
	half := packed(t, `{"name":"`+strings.Repeat("abc", 100)+`"}`)
	for _, c := range []struct {
		name, encoding string
		body           []byte
		want           int
	}{
		{"gzip", "gzip", good, 200},
		{"its old name, in capitals", "X-GZIP", good, 200},
		{"nothing", "identity", []byte(`{"name":"one"}`), 200},
		{"plain text", "gzip", []byte(`{"name":"one"}`), 400},
		{"cut off", "gzip", half[:len(half)-9], 400},
		{"a wrong sum", "gzip", append(bytes.Clone(good[:len(good)-8]), 1, 2, 3, 4, 5, 6, 7, 8), 400},
		{"something behind it", "gzip", append(bytes.Clone(good), "more"...), 400},
		{"no JSON inside", "gzip", packed(t, "name"), 400},
		{"nothing inside", "gzip", packed(t, ""), 400},
		{"over the limit", "gzip", packed(t, `{"name":"`+strings.Repeat("0123456789abcdef", 70000)+`"}`), 413},
		{"a bomb", "gzip", packed(t, strings.Repeat(" ", 100<<20)), 413},
		{"endless members that hold nothing", "gzip", bytes.Repeat(packed(t, ""), 20000), 413},
		{"another encoding", "br", good, 415},
		{"zlib", "deflate", good, 415},
		{"packed twice", "gzip, gzip", packed(t, string(good)), 415},
	} {
		r := httptest.NewRequest("POST", "/make", bytes.NewReader(c.body))
		r.Header.Set("Content-Encoding", c.encoding)
		w := b.send(r)
		if w.Code != c.want {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if c.want == 415 && (!strings.Contains(w.Body.String(), "'"+c.encoding+"'") || w.Header().Get("Accept-Encoding") != "gzip") {
			t.Errorf("%s: the answer does not say what is taken: %s", c.name, w.Body)
		}
		if c.want == 200 && !strings.Contains(w.Body.String(), `"one"`) {
			t.Errorf("%s: %s", c.name, w.Body)
		}
	}
}

func FuzzCompressedBody(f *testing.F) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(`{"name":"one"}`)) // into memory
	_ = w.Close()
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:10])
	f.Add([]byte("\x1f\x8b\x08\x10"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := newBench(t, nil, one(httpapi.Op[titled, httpapi.None, empty]{ID: "make", Method: http.MethodPost, Path: "/make", Status: 204,
			Public: public, Do: func(context.Context, *httpapi.Call, *titled, httpapi.None) (*empty, error) { return nil, nil }}))
		r := httptest.NewRequest("POST", "/make", bytes.NewReader(raw))
		r.Header.Set("Content-Encoding", "gzip")
		if got := b.send(r).Code; got != 204 && got != 400 && got != 413 {
			t.Errorf("%x: %d", raw, got)
		}
	})
}
