package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestKindsAreFoundThroughWrapping(t *testing.T) {
	err := fmt.Errorf("loading: %w", NoObject("ApiKey", "ApiKey-1"))
	if !errors.Is(err, NotFound) || errors.Is(err, Conflict) {
		t.Errorf("errors.Is misjudges %v", err)
	}
}

func TestPlainErrorsAreInternalAndKeepTheirCause(t *testing.T) {
	e := Of(fmt.Errorf("reading: %w", io.ErrUnexpectedEOF))
	if e.Kind != Internal || !errors.Is(e, io.ErrUnexpectedEOF) || e.Message != "" {
		t.Errorf("Of gave %+v", e)
	}
}

func TestBareKindsBecomeErrorsOfThatKind(t *testing.T) {
	if e := Of(fmt.Errorf("store: %w", Stale)); e.Kind != Stale {
		t.Errorf("Of gave %+v", e)
	}
}
