package devserver

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnvironmentFileIsKeyValueLines(t *testing.T) {
	tests := []struct {
		name, text, key, want string
		wantErr               bool
	}{
		{name: "plain", text: "KAGIBAN_URL=http://127.0.0.1:1\n", key: "KAGIBAN_URL", want: "http://127.0.0.1:1"},
		{name: "value may hold an equals sign", text: "A=b=c\n", key: "A", want: "b=c"},
		{name: "quotes are part of the value", text: "A=\"b\"\n", key: "A", want: `"b"`},
		{name: "comments and empty lines are passed over", text: "# x\n\nA=b\n", key: "A", want: "b"},
		{name: "carriage returns are dropped", text: "A=b\r\n", key: "A", want: "b"},
		{name: "a line without equals sign is a fault", text: "A\n", wantErr: true},
		{name: "an empty key is a fault", text: "=b\n", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			env, err := ReadEnvFile(path)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error = %v, want error: %v", err, tt.wantErr)
			}
			if got := env[tt.key]; got != tt.want {
				t.Errorf("%s = %q, want %q", tt.key, got, tt.want)
			}
		})
	}
}

func TestServerThatEndsEarlyIsReportedWithItsLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kagiban")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho wrong setting; exit 2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(context.Background(), path)
	if err == nil || !strings.Contains(err.Error(), "wrong setting") || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("error = %v, want the exit status and the server's log", err)
	}
}

func TestServerIsReadyWhenTheFileIsThereAndGoneAfterStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kagiban")
	script := "#!/bin/sh\nprintf 'KAGIBAN_URL=http://%s\\nKAGIBAN_APIKEY=k\\n' \"$3\" > \"$5.tmp\"; mv \"$5.tmp\" \"$5\"; exec sleep 60\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := Start(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Env["KAGIBAN_URL"], "http://127.0.0.1:") {
		t.Errorf("URL = %q, want a loopback address", s.Env["KAGIBAN_URL"])
	}
	s.Stop()
	s.Stop()
	select {
	case <-s.done:
	default:
		t.Error("the process is still running after Stop")
	}
}

func TestServerDoesNotSeeTheDevelopersSettings(t *testing.T) {
	got := cleanEnvironment([]string{"PATH=/bin", "KAGIBAN_LISTEN=0.0.0.0:1", "HOME=/h"})
	if strings.Join(got, " ") != "PATH=/bin HOME=/h" {
		t.Errorf("environment = %v", got)
	}
}

func TestDataRaceInTheServerIsFound(t *testing.T) {
	s := &Server{log: &lockedBuffer{}}
	for _, text := range []string{"ready\n", "WARNING: DATA RACE\nWrite at\n"} {
		if _, err := s.log.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Crash(); !strings.HasPrefix(got, "WARNING: DATA RACE\nWrite") {
		t.Errorf("crash = %q", got)
	}
}
