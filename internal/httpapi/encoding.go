package httpapi

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
)

// decodeBody takes the Content-Encoding off a request's body. An SDK compresses
// bodies with gzip when a switch says so; other encodings are refused.
func decodeBody(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	given := strings.TrimSpace(strings.Join(r.Header["Content-Encoding"], ","))
	switch strings.ToLower(given) {
	case "", "identity":
		return nil
	case "gzip", "x-gzip":
		packed := &packedBody{ReadCloser: r.Body}
		packed.in.body = packed
		r.Body, r.ContentLength = packed, -1
		return nil
	}
	w.Header().Set("Accept-Encoding", "gzip")
	return fault.New(fault.ContentType, "The Content-Encoding '%s' of the request is not understood: send gzip, or none.", fault.Echo(given))
}

// Bounds of a compressed body. What it unpacks to is bounded like any body, so
// these only keep a sender from making the server work for nothing.
const (
	// unpackedFree may be unpacked whatever it came from.
	unpackedFree = 64 << 10
	// maxRatio bounds what comes out of a byte after that. JSON of a thousand
	// like items is packed to a hundredth.
	maxRatio = 200
	// packedFree is how much longer than its contents a packed body may be: it
	// bounds headers, and members that hold nothing.
	packedFree = 64 << 10
)

// packedBody unpacks a body as it is read.
type packedBody struct {
	io.ReadCloser // what the client sent
	in            packedInput
	unpack        *gzip.Reader
	out           int64 // bytes that came out
}

// packedInput counts what is read of the client's bytes.
type packedInput struct {
	body *packedBody
	n    int64
	err  error // of the connection
}

func (p *packedInput) Read(b []byte) (n int, err error) {
	if p.n > p.body.out+packedFree {
		return 0, errRatio
	}
	n, p.err = p.body.ReadCloser.Read(b)
	p.n += int64(n)
	return n, p.err
}

var (
	errRatio = &fault.Error{Kind: fault.TooLarge, Message: "The compressed request body holds too much, or too little, for its size."}
	errGzip  = &fault.Error{Kind: fault.Invalid, Field: "body", Message: "The request body is not valid gzip."}
)

// Read implements io.Reader. Errors are of the connection, or faults.
func (p *packedBody) Read(b []byte) (n int, err error) {
	if p.unpack == nil {
		if p.unpack, err = gzip.NewReader(&p.in); err != nil {
			p.unpack = nil
			return 0, p.wording(err)
		}
	}
	n, err = p.unpack.Read(b)
	if p.out += int64(n); p.out > unpackedFree && p.out > maxRatio*p.in.n {
		return 0, errRatio
	}
	return n, p.wording(err)
}

// wording tells the end of the contents, faults of the connection and those of
// the packing apart.
func (p *packedBody) wording(err error) error {
	var known *fault.Error
	switch {
	case err == nil, err == io.EOF && p.in.err == io.EOF && p.in.n > 0, errors.As(err, &known): //nolint:errorlint // as readers give it
		return err
	case p.in.err != nil && p.in.err != io.EOF: //nolint:errorlint // as readers give it
		return p.in.err
	}
	return errGzip
}

// BodyFault words why a request's body could not be read, for the client. limit
// is how many bytes were allowed.
func BodyFault(err error, limit int64) *fault.Error {
	var known *fault.Error
	if errors.As(err, &known) {
		return known
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fault.New(fault.TooLarge, "The request body is larger than %d bytes.", limit)
	}
	return &fault.Error{Kind: fault.Invalid, Message: "The request body could not be read.", Cause: err}
}
