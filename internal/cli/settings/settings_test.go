package settings_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/secret"
)

func env(home string) func(string) string {
	return func(name string) string {
		if name == "KAGIBAN_HOME" {
			return home
		}
		return ""
	}
}

func open(t *testing.T, home string) *settings.Store {
	t.Helper()
	store, err := settings.NewStore(env(home))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func full() settings.Settings {
	return settings.Settings{
		APIEndpoint: "https://iam.example.com", SSLDisabled: true,
		Tokens:         settings.Tokens{Access: secret.New("access"), Refresh: secret.New("refresh")},
		Account:        settings.Account{GUID: "acct", Name: "Account", Owner: "ada", Classic: "17"},
		Region:         "jp-tok",
		ResourceGroup:  settings.ResourceGroup{GUID: "rg", Name: "Default"},
		LoginAt:        time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		AssumedProfile: settings.Profile{ID: "Profile-1", Name: "p"},
		Fallback: settings.Fallback{
			Account: settings.Account{GUID: "first"},
			Tokens:  settings.Tokens{Access: secret.New("access0"), Refresh: secret.New("refresh0")},
		},
		HTTPTimeout: 5, Trace: "false", Color: "true",
	}
}

// reveal makes settings comparable: secrets refuse to be looked at.
func reveal(t *testing.T, s settings.Settings) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSettingsSurviveTheFile(t *testing.T) {
	store := open(t, t.TempDir())
	want := full()
	if err := store.Update(func(s *settings.Settings) error { *s = want; return nil }); err != nil {
		t.Fatal(err)
	}
	got, err := store.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reveal(t, want), reveal(t, got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTheFileHasTheOfficialNames(t *testing.T) {
	var got map[string]any
	if err := json.Unmarshal([]byte(reveal(t, full())), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"APIEndpoint": "https://iam.example.com", "SSLDisabled": true,
		"IAMToken": "Bearer access", "IAMRefreshToken": "refresh",
		"Account": map[string]any{"GUID": "acct", "Name": "Account", "Owner": "ada", "Classic": "17"},
		"Profile": map[string]any{"ID": "Profile-1", "Name": "p"}, "Region": "jp-tok",
		"ResourceGroup": map[string]any{"GUID": "rg", "Name": "Default"}, "LoginAt": "2026-03-01T12:00:00Z",
		"FallbackAccount":   map[string]any{"GUID": "first", "Name": ""},
		"FallbackIAMTokens": map[string]any{"IAMToken": "Bearer access0", "IAMRefreshToken": "refresh0"}, "AssumedTrustedProfileId": "Profile-1",
		"HTTPTimeout": 5.0, "Trace": "false", "ColorEnabled": "true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNobodyElseCanReadTheFile(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, ".kagiban")
	if err := os.Mkdir(dir, 0o755); err != nil { // made by somebody careless
		t.Fatal(err)
	}
	store := open(t, home)
	if err := os.WriteFile(store.Path(), []byte(`{}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := store.Update(func(s *settings.Settings) error { s.Region = "x"; return nil }); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, store.Path(): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestAFailedChangeChangesNothing(t *testing.T) {
	store := open(t, t.TempDir())
	if err := store.Update(func(s *settings.Settings) error { s.Region = "before"; return nil }); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	err := store.Update(func(s *settings.Settings) error { s.Region = "after"; return stop })
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	if got, err := store.Load(); err != nil || got.Region != "before" {
		t.Errorf("region %q, %v", got.Region, err)
	}
}

func TestRacingChangesAllCount(t *testing.T) {
	home := t.TempDir()
	const writers, rounds = 4, 10
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			store, err := settings.NewStore(env(home)) // as another process has its own
			if err != nil {
				t.Error(err)
				return
			}
			for range rounds {
				if err := store.Update(func(s *settings.Settings) error { s.HTTPTimeout++; return nil }); err != nil {
					t.Error(err)
				}
				if _, err := store.Load(); err != nil { // never a half-written file
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got, err := open(t, home).Load(); err != nil || got.HTTPTimeout != writers*rounds {
		t.Errorf("%d of %d changes counted, %v", got.HTTPTimeout, writers*rounds, err)
	}
}

func TestADamagedFileIsNamed(t *testing.T) {
	store := open(t, t.TempDir())
	if err := os.MkdirAll(filepath.Dir(store.Path()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(store.Path(), []byte(`{"IAMToken":"Bearer sec`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Load()
	if err == nil || !strings.Contains(err.Error(), store.Path()) || strings.Contains(err.Error(), "sec") {
		t.Errorf("got %v", err)
	}
	if err := store.Update(func(*settings.Settings) error { return nil }); err == nil {
		t.Error("a damaged file was overwritten")
	}
}

func TestLogoutKeepsServerAndPreferences(t *testing.T) {
	s := full()
	s.Logout()
	want := settings.Settings{APIEndpoint: "https://iam.example.com", SSLDisabled: true, Region: "jp-tok", HTTPTimeout: 5, Trace: "false",
		Color: "true"}
	if diff := cmp.Diff(reveal(t, want), reveal(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSettingsPrintNoTokens(t *testing.T) {
	if text := fmt.Sprintf("%v %+v", full(), full()); strings.Contains(text, "access") || strings.Contains(text, "refresh") {
		t.Errorf("printed: %s", text)
	}
}

func TestHomeWithoutKagibanHome(t *testing.T) {
	store, err := settings.NewStore(func(name string) string {
		if name == "HOME" {
			return "/home/ada"
		}
		return ""
	})
	if err != nil || store.Path() != filepath.FromSlash("/home/ada/.kagiban/config.json") {
		t.Errorf("got %v, %v", store, err)
	}
}
