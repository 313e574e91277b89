package httpapi

import (
	"net/http"
	"time"
)

// Millis prints a time as the policy and group APIs do:
// "2024-10-17T16:36:56.501Z". The identity API has a form of its own.
func Millis(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// BaseURL is the address under which the client reached the server, for links
// in answers. It is built from the request because one server has many names;
// links are only ever followed by the client that gets them.
func BaseURL(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
