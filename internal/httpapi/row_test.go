package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
)

func TestWhatIsFoundIsDecidedOnAndHandedOn(t *testing.T) {
	type thing struct{ name string }
	var order []string
	row := func(account string) httpapi.Row {
		return httpapi.Op[named, *thing, named]{ID: "get", Method: http.MethodGet, Path: "/things/{name}", Status: 200, Action: "thing.do",
			Check: func(in *named) error {
				order = append(order, "check")
				if in.Name == "bad" {
					return fault.Field("name", "bad")
				}
				return nil
			},
			Find: func(_ context.Context, _ *httpapi.Call, in *named) (*thing, httpapi.Target, error) {
				order = append(order, "find")
				return &thing{"found " + in.Name}, httpapi.Target{Account: account}, nil
			},
			Do: func(_ context.Context, _ *httpapi.Call, _ *named, found *thing) (*named, error) {
				order = append(order, "do")
				return &named{found.name}, nil
			}}
	}
	b := newBench(t, nil, httpapi.Table(family, row(home))...)
	if w := b.do("GET", "/things/x", ""); w.Code != 200 || w.Body.String() != "{\"Name\":\"found x\"}\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	refused(t, b.do("GET", "/things/bad", ""), 400)
	b = newBench(t, func(c *httpapi.Config) { c.Authorizer = granted{} }, httpapi.Table(family, row(home))...)
	refused(t, b.do("GET", "/things/x", ""), 403)
	if want := []string{"check", "find", "do", "check", "check", "find"}; !slices.Equal(order, want) {
		t.Errorf("%v, want %v", order, want)
	}
}

// The decision is about the object that was found: when another write comes
// before this one's, all is found and decided anew.
func TestAnOperationWhoseObjectMovedBeginsAgain(t *testing.T) {
	version, moves := 0, 3
	finds := 0
	b := newBench(t, nil, httpapi.Table(family, httpapi.Op[empty, int, empty]{
		ID: "change", Method: http.MethodPut, Path: "/change", Status: 200, Action: "thing.do",
		Find: func(context.Context, *httpapi.Call, *empty) (int, httpapi.Target, error) {
			finds++
			if finds == 10 {
				return 0, httpapi.Target{}, fault.NoObject("Thing", "1")
			}
			return version, httpapi.Target{Account: home}, nil
		},
		Do: func(_ context.Context, _ *httpapi.Call, _ *empty, found int) (*empty, error) {
			if moves > 0 {
				moves--
				version++
			}
			if found != version {
				return nil, fmt.Errorf("writing: %w", store.ErrMoved)
			}
			return &empty{}, nil
		}})...)
	if w := b.do("PUT", "/change", ""); w.Code != 200 || finds != 4 {
		t.Errorf("after three writes of others: %d, found %d times", w.Code, finds)
	}
	finds, moves = 0, 1000
	if w := b.do("PUT", "/change", ""); w.Code != 404 {
		t.Errorf("after the object was deleted: %d", w.Code)
	}
	finds, moves = 10, 1000
	if w := b.do("PUT", "/change", ""); w.Code != 409 || finds > 100 {
		t.Errorf("when others never stop: %d, found %d times", w.Code, finds)
	}
}
