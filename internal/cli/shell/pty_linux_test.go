package shell_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kagiban/kagiban/internal/cli/settings"
	"github.com/kagiban/kagiban/internal/cli/shell"
)

// openPTY makes a pseudo-terminal: what a program writes to tty is read from
// user, and the other way round.
func openPTY(t *testing.T) (user, tty *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = user.Close() })
	if err := unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(user.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return user, tty
}

// screen hangs up and gives what was written to the terminal.
func screen(t *testing.T, user, tty *os.File) string {
	t.Helper()
	if err := tty.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(user)
	if err != nil && !errors.Is(err, unix.EIO) { // how a hung-up terminal ends
		t.Fatal(err)
	}
	return string(text)
}

// runOn executes a verb whose output and input are a terminal.
func (w *world) runOn(tty *os.File, stderr io.Writer, verb shell.Verb) error {
	sh := &shell.Shell{
		In: tty, Out: tty, Err: stderr, Getenv: w.getenv,
		Version: "test", Now: func() time.Time { return now }, NewID: func() string { return "id" },
	}
	cmd := sh.Command(verb)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(nil)
	return cmd.ExecuteContext(w.t.Context())
}

func TestColoursOnATerminal(t *testing.T) {
	for _, tt := range []struct {
		name, setting string
		env           map[string]string
		want          bool
	}{
		{name: "by default", want: true},
		{name: "NO_COLOR", env: map[string]string{"NO_COLOR": "1"}},
		{name: "NO_COLOR beats KAGIBAN_COLOR", env: map[string]string{"NO_COLOR": "1", "KAGIBAN_COLOR": "true"}},
		{name: "KAGIBAN_COLOR=false", env: map[string]string{"KAGIBAN_COLOR": "False"}},
		{name: "setting", setting: "false"},
		{name: "KAGIBAN_COLOR beats the setting", setting: "false", env: map[string]string{"KAGIBAN_COLOR": "true"}, want: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, refuses("X"), accepts)
			w.session(token("ada", time.Hour), "", func(s *settings.Settings) { s.Color = tt.setting })
			if tt.env != nil {
				w.env = tt.env
			}
			user, tty := openPTY(t)
			if err := w.runOn(tty, io.Discard, ping); err != nil {
				t.Fatal(err)
			}
			text := screen(t, user, tty)
			if strings.Contains(text, "\x1b[1;32mOK\x1b[0m") != tt.want || strings.Contains(text, "\x1b") != tt.want {
				t.Errorf("seen on the terminal: %q", text)
			}
		})
	}
}

func TestAPasswordIsNotShownWhileItIsTyped(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	user, tty := openPTY(t)
	typed := make(chan error, 1)
	go func() { typed <- typeWhenHidden(t.Context(), user, tty, "my-password\n") }()
	var got string
	var asked bytes.Buffer
	err := w.runOn(tty, &asked, shell.Verb{Use: "x", Run: func(_ context.Context, c *shell.Call) (err error) {
		got, err = c.Secret("Password>")
		c.Say("end")
		return err
	}})
	if err := <-typed; err != nil {
		t.Fatal(err)
	}
	if err != nil || got != "my-password" || asked.String() != "Password> \n" {
		t.Errorf("got %q, asked %q, %v", got, asked.String(), err)
	}
	if text := screen(t, user, tty); !strings.Contains(text, "end") || strings.Contains(text, "my-password") {
		t.Errorf("seen on the terminal: %q", text)
	}
}

func TestAnInterruptedPasswordLeavesTheTerminalAsItWas(t *testing.T) {
	w := newWorld(t, refuses("X"), accepts)
	_, tty := openPTY(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var errs bytes.Buffer
	sh := &shell.Shell{
		In: tty, Out: io.Discard, Err: &errs, Getenv: w.getenv,
		Now: func() time.Time { return now }, NewID: func() string { return "id" },
	}
	cmd := sh.Command(shell.Verb{Use: "x", Run: func(_ context.Context, c *shell.Call) error {
		go func() {
			if hidden(t.Context(), tty) == nil {
				interrupt()
			}
		}()
		_, err := c.Secret("Password>")
		return err
	}})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(nil)
	if err := cmd.ExecuteContext(ctx); err == nil || !strings.HasSuffix(errs.String(), "FAILED\nInterrupted.\n\n") {
		t.Errorf("%q, %v", errs.String(), err)
	}
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil || state.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal stays mute: %v", err)
	}
}

// typeWhenHidden types as soon as the program has switched the echo off.
func typeWhenHidden(ctx context.Context, user, tty *os.File, text string) error {
	if err := hidden(ctx, tty); err != nil {
		return err
	}
	_, err := io.WriteString(user, text)
	return err
}

// hidden returns when the terminal's echo is off.
func hidden(ctx context.Context, tty *os.File) error {
	for ctx.Err() == nil {
		state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
		if err != nil || state.Lflag&unix.ECHO == 0 {
			return err
		}
	}
	return ctx.Err()
}
