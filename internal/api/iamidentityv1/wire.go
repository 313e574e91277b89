package iamidentityv1

import (
	"context"
	"net/url"
	"time"

	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/store"
)

// stamp prints a time as this API does.
func stamp(t time.Time) string { return t.UTC().Format(identity.Stamp) }

// Text is a text that clients may send as a JSON number too.
type Text = httpapi.Text

// HistoryRecord tells of one change of an object.
type HistoryRecord struct {
	Timestamp    string   `json:"timestamp"`
	IAMID        string   `json:"iam_id"`
	IAMIDAccount string   `json:"iam_id_account"`
	Action       string   `json:"action"`
	Params       []string `json:"params"`
	Message      string   `json:"message"`
}

func wireHistory(events []store.Event) []HistoryRecord {
	out := make([]HistoryRecord, 0, len(events))
	for _, e := range events {
		action, message := e.Action, e.Message
		if action == "" { // told as part of another change
			action = string(e.Op)
		}
		out = append(out, HistoryRecord{
			Timestamp: stamp(e.At), IAMID: e.Origin.IAMID, IAMIDAccount: e.Origin.Account,
			Action: action, Params: append([]string{}, e.Params...), Message: message,
		})
	}
	return out
}

// history reads an object's history when the client wants it, else nil.
func (a *API) history(ctx context.Context, wanted bool, kind string, m *store.Meta) ([]HistoryRecord, error) {
	if !wanted {
		return nil, nil
	}
	events, err := a.ids.History(ctx, kind, m)
	if err != nil {
		return nil, err
	}
	return wireHistory(events), nil
}

// Activity tells how often and when an identity was authenticated last.
type Activity struct {
	LastAuthn  string `json:"last_authn,omitempty"`
	AuthnCount int64  `json:"authn_count"`
}

// activity reads an object's activity when the client wants it and may see it,
// else nil.
func (a *API) activity(ctx context.Context, c *httpapi.Call, wanted bool, m *store.Meta, on httpapi.Target) (*Activity, error) {
	if !wanted {
		return nil, nil
	}
	read, err := a.ids.Activity(ctx, c, m, on)
	if err != nil || read == nil {
		return nil, err
	}
	out := &Activity{AuthnCount: read.Count}
	if !read.Last.IsZero() {
		out.LastAuthn = stamp(read.Last)
	}
	return out, nil
}

// listIn are the query parameters that every paged list takes.
type listIn struct {
	AccountID      string `query:"account_id"`
	PageSize       *int   `query:"pagesize"`
	PageToken      string `query:"pagetoken"`
	Sort           string `query:"sort"`
	Order          string `query:"order"`
	IncludeHistory bool   `query:"include_history"`
	Filter         string `query:"filter"`
}

func (l *listIn) query() identity.ListQuery {
	return identity.ListQuery{
		Account: l.AccountID, Size: l.PageSize, PageToken: l.PageToken, Sort: l.Sort, Order: l.Order, Filter: l.Filter,
	}
}

// Paging is the head of every paged list.
type Paging struct {
	Offset   int    `json:"offset"`
	Limit    int    `json:"limit"`
	First    string `json:"first"`
	Previous string `json:"previous,omitempty"`
	Next     string `json:"next,omitempty"`
}

// paging makes the links of a page: URLs as plain strings, which hold nothing
// but the page token.
func paging[T any](a *API, path string, p *identity.Page[T]) Paging {
	link := func(token string) string {
		if token == "" {
			return ""
		}
		return lists.Link(a.base, &url.URL{Path: path}, "pagetoken", token)
	}
	return Paging{Offset: p.Offset, Limit: p.Limit, First: link(p.First), Previous: link(p.Previous), Next: link(p.Next)}
}
