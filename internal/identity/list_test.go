package identity_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/identity"
)

const (
	acct = apitest.Account
	user = apitest.Member
)

func serve(t testing.TB, change ...func(*apitest.Options)) *apitest.Server {
	return apitest.New(t, nil, change...)
}

// listed lists profiles.
func listed(s *apitest.Server, q identity.ListQuery) (*identity.Page[identity.Profile], error) {
	l, err := s.Identity.ProfileListing(q)
	if err != nil {
		return nil, err
	}
	return s.Identity.ListProfiles(context.Background(), l)
}

// newProfile makes a profile in the first account.
func newProfile(s *apitest.Server, name, description string) *identity.Profile {
	s.T.Helper()
	p, err := s.Identity.CreateProfile(context.Background(), apitest.Checked(s.T, identity.NewProfile{Account: acct, Name: name,
		Description: description}))
	if err != nil {
		s.T.Fatal(err)
	}
	return p
}

// Whatever the size of pages, the order and the filter: going forward shows
// every object once and in order, and going back from the last page shows the
// same pages.
func TestPagesPartitionTheList(t *testing.T) {
	s := serve(t)
	for i := range 23 {
		if i%3 != 0 { // some share a time: ties must not repeat or hide objects
			s.Pass(time.Minute)
		}
		newProfile(s, fmt.Sprintf("%c %02d", 'a'+i%5, i), fmt.Sprint(i%4))
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

func pages(t *rapid.T, s *apitest.Server, q identity.ListQuery, size int) (out [][]string) {
	q.Size = &size
	offset := 0
	for {
		p, err := listed(s, q)
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

func pagesBack(t *rapid.T, s *apitest.Server, q identity.ListQuery, size int) (out [][]string) {
	q.Size = &size
	var p *identity.Page[identity.Profile]
	for {
		var err error
		if p, err = listed(s, q); err != nil {
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
		if p, err = listed(s, identity.ListQuery{PageToken: p.Previous}); err != nil { // the token alone
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
	for _, char := range []string{"<", `"`, `\`, "&"} { // those that JSON blows up
		s := serve(t)
		for i := range 2 {
			newProfile(s, fmt.Sprint(i)+strings.Repeat(char, 299/len(char)), fmt.Sprint(i)+strings.Repeat(char, 999/len(char)))
		}
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(char)
		filter := `description co "` + strings.Repeat(quoted, 900/len(quoted)/2) + `"`
		size := 1
		first, err := listed(s, identity.ListQuery{Account: acct, Sort: "description", Filter: filter, Size: &size})
		if err != nil {
			t.Fatal(err)
		}
		second, err := listed(s, identity.ListQuery{PageToken: first.Next})
		if err != nil || len(second.Items) != 1 || second.Items[0].ID == first.Items[0].ID {
			t.Errorf("second page with %q: %v, %v", char, second, err)
		}
	}
}

func TestListsSurviveChangesBetweenPages(t *testing.T) {
	s := serve(t)
	var made []*identity.Profile
	for i := range 6 {
		s.Pass(time.Minute)
		made = append(made, newProfile(s, fmt.Sprint(i), ""))
	}
	size := 2
	first, err := listed(s, identity.ListQuery{Account: acct, Size: &size})
	if err != nil {
		t.Fatal(err)
	}
	// The object that the token stands on goes away.
	if err := s.Identity.DeleteProfile(t.Context(), made[1]); err != nil {
		t.Fatal(err)
	}
	second, err := listed(s, identity.ListQuery{PageToken: first.Next})
	if err != nil || !slices.Equal(ids(second), []string{made[2].ID, made[3].ID}) {
		t.Fatalf("second page: %v, %v", ids(second), err)
	}
	for _, p := range []*identity.Profile{made[0], made[2]} {
		if err := s.Identity.DeleteProfile(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	back, err := listed(s, identity.ListQuery{PageToken: second.Previous})
	if err != nil || !slices.Equal(ids(back), []string{made[3].ID, made[4].ID}) || back.Offset != 0 {
		t.Fatalf("going back to a page that is gone shows the first one: %v, %v", back, err)
	}
}
