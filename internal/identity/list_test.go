package identity_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/identity"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store/sqlitestore"
)

const (
	acct = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	user = "IBMid-270000USER"
)

// newService gives a service over an empty store and its clock.
func newService(t testing.TB) (*identity.Service, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	clock := func() time.Time { return now }
	db, err := sqlitestore.Open(context.Background(), sqlitestore.Options{Memory: true, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	hasher, err := secret.NewHasher(bytes.Repeat([]byte{1}, secret.PepperSize), secret.PurposeAPIKey)
	if err != nil {
		t.Fatal(err)
	}
	master, err := secret.ParseMasterKey(strings.Repeat("0123456789abcdef", 4))
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := secret.NewSealer(nil, master)
	if err != nil {
		t.Fatal(err)
	}
	return identity.New(identity.Config{DB: db, Now: clock, Hasher: hasher, Sealer: sealer, Pages: lists.NewSealer(make([]byte, 32))}), &now
}

// Whatever the size of pages, the order and the filter: going forward shows
// every object once and in order, and going back from the last page shows the
// same pages.
func TestPagesPartitionTheList(t *testing.T) {
	s, now := newService(t)
	ctx := context.Background()
	for i := range 23 {
		if i%3 != 0 { // some share a time: ties must not repeat or hide objects
			*now = now.Add(time.Minute)
		}
		n := identity.NewProfile{Account: acct, Name: fmt.Sprintf("%c %02d", 'a'+i%5, i), Description: fmt.Sprint(i % 4)}
		if _, err := s.CreateProfile(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		q := identity.ListQuery{
			Account: acct,
			Sort:    rapid.SampledFrom([]string{"", "name", "description", "created_at", "modified_at"}).Draw(t, "sort"),
			Order:   rapid.SampledFrom([]string{"", "asc", "desc"}).Draw(t, "order"),
			Filter:  rapid.SampledFrom([]string{"", `name co "a"`, `not (name sw "b")`, `description eq "2"`, `name eq "nobody"`}).Draw(t, "filter"),
		}
		whole := pages(t, s, q, 100)
		size := rapid.IntRange(1, 25).Draw(t, "size")
		cut := pages(t, s, q, size)
		if !slices.Equal(slices.Concat(whole...), slices.Concat(cut...)) {
			t.Fatalf("%d pages of %d differ from the whole", len(cut), size)
		}
		for i, p := range cut {
			if len(p) != size && i != len(cut)-1 {
				t.Fatalf("page %d of %d has %d items, not %d", i, len(cut), len(p), size)
			}
		}
		if back := pagesBack(t, s, q, size); !slices.EqualFunc(cut, back, slices.Equal) {
			t.Fatalf("going back shows other pages:\n%v\n%v", cut, back)
		}
	})
}

func pages(t *rapid.T, s *identity.Service, q identity.ListQuery, size int) (out [][]string) {
	q.Size = &size
	offset := 0
	for {
		p, err := s.ListProfiles(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		if p.Offset != offset || p.Limit != size || (p.Previous == "") != (offset == 0) {
			t.Fatalf("offset %d, limit %d, previous %q at offset %d", p.Offset, p.Limit, p.Previous, offset)
		}
		out = append(out, ids(p))
		offset += len(p.Items)
		if p.Next == "" {
			return out
		}
		q.PageToken = p.Next
	}
}

func pagesBack(t *rapid.T, s *identity.Service, q identity.ListQuery, size int) (out [][]string) {
	q.Size = &size
	var p *identity.Page[identity.Profile]
	for {
		var err error
		if p, err = s.ListProfiles(context.Background(), q); err != nil {
			t.Fatal(err)
		}
		if p.Next == "" {
			break
		}
		q.PageToken = p.Next
	}
	for {
		out = append(out, ids(p))
		if p.Previous == "" {
			slices.Reverse(out)
			return out
		}
		var err error
		if p, err = s.ListProfiles(context.Background(), identity.ListQuery{PageToken: p.Previous}); err != nil { // the token alone
			t.Fatal(err)
		}
	}
}

func ids(p *identity.Page[identity.Profile]) (out []string) {
	for _, one := range p.Items {
		out = append(out, one.ID)
	}
	return out
}

func TestPageTokensOfTheLongestValuesStillOpen(t *testing.T) {
	ctx := context.Background()
	for _, char := range []string{"<", `"`, `\`, "\u2028"} { // those that JSON blows up
		s, _ := newService(t)
		for i := range 2 {
			n := identity.NewProfile{Account: acct, Name: fmt.Sprint(i) + strings.Repeat(char, 299/len(char)), Description: fmt.Sprint(i) + strings.Repeat(char, 999/len(char))}
			if _, err := s.CreateProfile(ctx, n); err != nil {
				t.Fatal(err)
			}
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(char)
		filter := `description co "` + strings.Repeat(quoted, 900/len(quoted)/2) + `"`
		size := 1
		first, err := s.ListProfiles(ctx, identity.ListQuery{Account: acct, Sort: "description", Filter: filter, Size: &size})
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.ListProfiles(ctx, identity.ListQuery{PageToken: first.Next})
		if err != nil || len(second.Items) != 1 || second.Items[0].ID == first.Items[0].ID {
			t.Errorf("second page with %q: %v, %v", char, second, err)
		}
	}
}

func TestListsSurviveChangesBetweenPages(t *testing.T) {
	s, now := newService(t)
	ctx := context.Background()
	var made []string
	for i := range 6 {
		*now = now.Add(time.Minute)
		p, err := s.CreateProfile(ctx, identity.NewProfile{Account: acct, Name: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, p.ID)
	}
	size := 2
	first, err := s.ListProfiles(ctx, identity.ListQuery{Account: acct, Size: &size})
	if err != nil {
		t.Fatal(err)
	}
	// The object that the token stands on goes away.
	if err := s.DeleteProfile(ctx, made[1]); err != nil {
		t.Fatal(err)
	}
	second, err := s.ListProfiles(ctx, identity.ListQuery{PageToken: first.Next})
	if err != nil || !slices.Equal(ids(second), made[2:4]) {
		t.Fatalf("second page: %v, %v", ids(second), err)
	}
	for _, id := range []string{made[0], made[2]} {
		if err := s.DeleteProfile(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	back, err := s.ListProfiles(ctx, identity.ListQuery{PageToken: second.Previous})
	if err != nil || !slices.Equal(ids(back), made[3:5]) || back.Offset != 0 {
		t.Fatalf("going back to a page that is gone shows the first one: %v, %v", back, err)
	}
}
