package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

// maxRequests bounds one measurement, whatever its duration says.
const maxRequests = 2_000_000

// request is what every connection sends over and over.
type request struct {
	addr  netip.AddrPort // loopback only
	texts [][]byte       // whole HTTP/1.1 requests, sent in turns
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// newRequest renders a POST with each of the bodies. It refuses an address that
// is not this machine's own.
func newRequest(addr, path, authorization, contentType string, bodies ...string) (request, error) {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil || !ap.Addr().IsLoopback() {
		return request{}, fmt.Errorf("load is sent to loopback addresses only, not to %q", addr)
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\n", path, addr)
	if authorization != "" {
		head += "Authorization: " + authorization + "\r\n"
	}
	head += "Accept: application/json\r\nContent-Type: " + contentType + "\r\n"
	r := request{addr: ap}
	for _, body := range bodies {
		r.texts = append(r.texts, fmt.Appendf(nil, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body))
	}
	return r, nil
}

// sample is one measurement of one target.
type sample struct {
	perSecond float64
	p50, p99  time.Duration
}

// generate sends r over n keep-alive connections, each waiting for its answer
// before it asks again, and measures after a warm-up of a quarter of d. It
// writes bytes and reads only what it must: a full HTTP client would take half
// of the machine from the server under test.
func generate(ctx context.Context, r request, n int, d time.Duration) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*d+10*time.Second)
	defer cancel()
	conns := make([]*loadConn, n)
	for i := range conns {
		c, err := dial(ctx, r)
		if err != nil {
			return sample{}, err
		}
		defer c.Close()
		conns[i] = c
	}
	begin := time.Now().Add(d / 4)
	end := begin.Add(d)
	var wg sync.WaitGroup
	for i, c := range conns {
		// Each connection begins at another text.
		from := i * len(r.texts) / n
		wg.Go(func() { c.err = c.loop(slices.Concat(r.texts[from:], r.texts[:from]), begin, end, maxRequests/n) })
	}
	wg.Wait()
	var all []time.Duration
	for _, c := range conns {
		if c.err != nil {
			return sample{}, c.err
		}
		all = append(all, c.latencies...)
	}
	if len(all) == 0 {
		return sample{}, errors.New("no request was answered in time")
	}
	slices.Sort(all)
	return sample{
		perSecond: float64(len(all)) / d.Seconds(),
		p50:       all[len(all)/2],
		p99:       all[len(all)*99/100],
	}, nil
}

type loadConn struct {
	net.Conn
	in        *bufio.Reader
	latencies []time.Duration
	err       error
}

func dial(ctx context.Context, r request) (*loadConn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", r.addr.String())
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		c.Close()
		return nil, fmt.Errorf("setting the deadline: %w", err)
	}
	return &loadConn{Conn: c, in: bufio.NewReaderSize(c, 16<<10)}, nil
}

// loop keeps the latencies of requests that both began and ended in the window.
func (c *loadConn) loop(texts [][]byte, begin, end time.Time, limit int) error {
	for i := range limit {
		start := time.Now()
		if !start.Before(end) {
			return nil
		}
		if _, err := c.Write(texts[i%len(texts)]); err != nil {
			return fmt.Errorf("sending: %w", err)
		}
		status, body, err := readResponse(c.in, false)
		if err != nil {
			return fmt.Errorf("receiving: %w", err)
		}
		if status != 200 {
			return fmt.Errorf("status %d %s", status, body)
		}
		done := time.Now()
		if start.After(begin) && done.Before(end) {
			c.latencies = append(c.latencies, done.Sub(start))
		}
	}
	return nil
}

// readResponse reads one HTTP/1.1 response. The body is returned when keep is
// set or the status is not 200.
func readResponse(in *bufio.Reader, keep bool) (status int, body []byte, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, fmt.Errorf("not an HTTP/1.1 status line: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("not a status: %q", line)
	}
	length, chunked := 0, false
	for {
		line, err = in.ReadSlice('\n')
		if err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 {
				return 0, nil, fmt.Errorf("not a length: %q", line)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	var to io.Writer = io.Discard
	var buf bytes.Buffer
	if keep || status != 200 {
		to = &buf
	}
	if chunked {
		err = copyChunks(to, in)
	} else {
		_, err = io.CopyN(to, in, int64(length))
	}
	return status, buf.Bytes(), err
}

func copyChunks(to io.Writer, in *bufio.Reader) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 31)
		if err != nil {
			return fmt.Errorf("not the size of a chunk: %q", line)
		}
		if _, err := io.CopyN(to, in, int64(size)); err != nil {
			return err
		}
		if _, err := in.Discard(2); err != nil { // the line end after a chunk, or after the last one
			return err
		}
		if size == 0 {
			return nil
		}
	}
}
