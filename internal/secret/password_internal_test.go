package secret

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPasswordWorkWaitsForAFreeSlotAndObeysTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPasswords(nil, 1)
		p.slots <- struct{}{}
		waiting, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Hash(waiting, New("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with all slots taken Hash gives %v, want the deadline's error", err)
		}
		<-p.slots
		if err := p.VerifyNobody(waiting, New("x")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a request that is already over is computed: %v", err)
		}
		if err := p.VerifyNobody(t.Context(), New("x")); err != nil {
			t.Errorf("with a free slot: %v", err)
		}
		if len(p.slots) != 0 {
			t.Error("a slot is not given back")
		}
	})
}

func TestPasswordConcurrencyDefaultsToTheCores(t *testing.T) {
	if n := cap(NewPasswords(nil, 0).slots); n < 1 {
		t.Errorf("%d slots", n)
	}
}
