package valid_test

import (
	"errors"
	"testing"

	"github.com/kagiban/kagiban/internal/valid"
)

var errOdd = errors.New("odd")

type even int

func (n even) Validate() error {
	if n%2 != 0 {
		return errOdd
	}
	return nil
}

func TestOnlyCheckedInputHasAValue(t *testing.T) {
	if v, err := valid.Check(even(2)); err != nil || v.Value() != 2 {
		t.Errorf("%v, %v", v, err)
	}
	v, err := valid.Check(even(3))
	if !errors.Is(err, errOdd) {
		t.Errorf("an odd number passed: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("input that failed its check gave a value")
		}
	}()
	v.Value()
}
