package session_test

import (
	"sync"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/session"
)

// unbound is a login without session, as API keys make them.
func unbound() session.Entry {
	e := login()
	e.Begins = false
	return e
}

func TestARefreshTokenIsReplacedAtEachUse(t *testing.T) {
	w := newWorld(t)
	a := w.record(unbound())
	if a.Session != nil || !a.RefreshExpires.Equal(w.now.Add(72*time.Hour)) {
		t.Fatalf("%+v", a)
	}
	for range 3 {
		b, err := w.redeem(a.Refresh)
		if err != nil || b.Refresh == a.Refresh {
			t.Fatalf("%v", err)
		}
		a = b
		w.pass(time.Hour)
	}
}

func TestAUsedRefreshTokenWorksThroughTheGrace(t *testing.T) {
	w := newWorld(t)
	a := w.record(unbound())
	if _, err := w.redeem(a.Refresh); err != nil {
		t.Fatal(err)
	}
	w.pass(session.ReuseGrace)
	if _, err := w.redeem(a.Refresh); err != nil {
		t.Errorf("within the grace: %v", err)
	}
}

// TestAReplayEndsTheLogin: one of two who hold a used token must have stolen it.
func TestAReplayEndsTheLogin(t *testing.T) {
	for name, late := range map[string]time.Duration{"later": session.ReuseGrace + time.Second,
		"with a clock set back": -2 * session.ReuseGrace} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			e := login()
			e.Receivers, e.DelegatedLife = []string{"kube"}, time.Hour
			first := w.record(e)
			second, err := w.redeem(first.Refresh)
			if err != nil {
				t.Fatal(err)
			}
			w.pass(late)
			_, err = w.redeem(first.Refresh)
			refused(t, "the replay", err, "BXNIM0407E")
			_, err = w.redeem(second.Refresh)
			refused(t, "what came of it", err, "BXNIM0407E")
			_, err = w.Delegated(t.Context(), secret.New(first.Delegated), "kube")
			refused(t, "what was delegated", err, "BXNIM0407E")
			if w.alive(first.Session.ID) {
				t.Error("the session lives on")
			}
		})
	}
}

// TestReplaysMeetInTheTransaction: two may find the token unused, and the write
// of one comes after the grace of the other.
func TestReplaysMeetInTheTransaction(t *testing.T) {
	w := newWorld(t)
	a := w.record(unbound())
	found, err := w.Find(t.Context(), secret.New(a.Refresh), "bx")
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.redeem(a.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	e := unbound()
	e.Lineage, e.Redeems, e.Family = found.Lineage, secret.New(a.Refresh), found.Family
	_, err = w.Record(t.Context(), e, *w.now)
	refused(t, "the late writer", err, "BXNIM0407E")
	_, err = w.redeem(b.Refresh)
	refused(t, "the family", err, "BXNIM0407E")
}

func TestARefreshTokenIsOfItsClientAndItsTime(t *testing.T) {
	w := newWorld(t)
	a := w.record(unbound())
	_, err := w.Find(t.Context(), secret.New(a.Refresh), "kube")
	refused(t, "another client", err, "BXNIM0407E")
	_, err = w.Find(t.Context(), secret.New("somebody's own making"), "bx")
	refused(t, "no token", err, "BXNIM0407E")
	w.pass(72 * time.Hour)
	_, err = w.redeem(a.Refresh)
	refused(t, "after its time", err, "BXNIM0408E")
	w.pass(24 * time.Hour)
	_, err = w.redeem(a.Refresh)
	refused(t, "a day later", err, "BXNIM0407E")
}

func TestLogoutEndsTheFamily(t *testing.T) {
	w := newWorld(t)
	a, other := w.record(unbound()), w.record(unbound())
	b, err := w.redeem(a.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	if told, err := w.Logout(t.Context(), secret.New(b.Refresh), "bx"); err != nil || told.IAMID != person {
		t.Fatalf("%+v, %v", told, err)
	}
	for name, value := range map[string]string{"the first": a.Refresh, "the last": b.Refresh} {
		_, err := w.redeem(value)
		refused(t, name, err, "BXNIM0407E")
	}
	if _, err := w.redeem(other.Refresh); err != nil {
		t.Errorf("another login: %v", err)
	}
	if told, err := w.Logout(t.Context(), secret.New(b.Refresh), "bx"); err != nil || told != nil {
		t.Errorf("once more: %+v, %v", told, err)
	}
}

func TestADelegatedTokenIsForItsReceiversUntilItsEnd(t *testing.T) {
	w := newWorld(t)
	e := login()
	e.Receivers, e.DelegatedLife = []string{"kube", "ce"}, 48*time.Hour
	a := w.record(e)
	value := secret.New(a.Delegated)
	for _, client := range []string{"kube", "ce", "kube"} {
		l, err := w.Delegated(t.Context(), value, client)
		if err != nil || l.IAMID != person || l.Session != "" || !l.Until.Equal(w.now.Add(48*time.Hour)) {
			t.Fatalf("%s: %+v, %v", client, l, err)
		}
	}
	_, err := w.Delegated(t.Context(), value, "bx")
	refused(t, "no receiver", err, "BXNIM0407E")
	w.pass(47 * time.Hour)
	if _, err := w.Delegated(t.Context(), value, "kube"); w.alive(a.Session.ID) || err != nil {
		t.Errorf("it must outlive the session: %v", err)
	}
	w.pass(time.Hour)
	_, err = w.Delegated(t.Context(), value, "kube")
	refused(t, "after its time", err, "BXNIM0407E")
}

// TestWhatComesOfALoginEndsWithIt: along any chain, by the roots.
func TestWhatComesOfALoginEndsWithIt(t *testing.T) {
	w := newWorld(t)
	first := w.record(login())
	profile := session.Entry{Lineage: session.Lineage{IAMID: "iam-Profile-1", Account: another, Origin: "assume",
		Authn: &session.Authn{IAMID: person}, Roots: []string{first.Session.ID}}, ClientID: "bx", Begins: true, Refreshing: true,
		Receivers: []string{"kube"}, DelegatedLife: time.Hour, Limits: login().Limits}
	second := w.record(profile)
	if second.Session == nil || second.Session.ID == first.Session.ID {
		t.Fatal("an assumed profile has no session of its own")
	}
	if err := w.End(t.Context(), first.Session.ID); err != nil {
		t.Fatal(err)
	}
	_, err := w.Find(t.Context(), secret.New(second.Refresh), "bx")
	refused(t, "its refresh token", err, "BXNIM0407E")
	_, err = w.Delegated(t.Context(), secret.New(second.Delegated), "kube")
	refused(t, "what it delegated", err, "BXNIM0407E")
}

func TestTheEndOfALoginBoundsWhatComesOfIt(t *testing.T) {
	w := newWorld(t)
	e := login()
	e.Until = w.now.Add(time.Hour)
	e.Receivers, e.DelegatedLife = []string{"kube"}, 48*time.Hour
	a := w.record(e)
	l, err := w.Delegated(t.Context(), secret.New(a.Delegated), "kube")
	if err != nil || !l.Until.Equal(e.Until) || !a.RefreshExpires.Equal(e.Until) || !a.Session.Ends.Equal(e.Until) {
		t.Errorf("%+v, %+v, %v", a, l, err)
	}
}

func TestAPasscodeStandsForALoginOnce(t *testing.T) {
	w := newWorld(t)
	l := session.Lineage{IAMID: person, Account: acct, Origin: "urn:ibm:params:oauth:grant-type:apikey", KeyID: "ApiKey-1"}
	code, err := w.NewPasscode(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	const many = 8
	got := make(chan *session.Lineage, many)
	var racing sync.WaitGroup
	for range many {
		racing.Go(func() {
			if l, err := w.TakePasscode(t.Context(), code); err == nil {
				got <- l
			}
		})
	}
	racing.Wait()
	close(got)
	if taken := <-got; taken == nil || taken.KeyID != l.KeyID || taken.IAMID != person || len(got) != 0 {
		t.Errorf("%+v and %d more", taken, len(got))
	}
	late, err := w.NewPasscode(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	w.pass(session.PasscodeLife)
	_, err = w.TakePasscode(t.Context(), late)
	refused(t, "an old one", err, "BXNIM0602E")
}
