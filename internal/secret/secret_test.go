package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/kagiban/kagiban/internal/secret"
)

const hidden = "correct-horse-battery"

// holders are the ways in which a program carries a secret around.
func holders() map[string]any {
	v := secret.New(hidden)
	type exported struct{ Key secret.Value }
	type unexported struct {
		key  secret.Value
		deep struct{ list []secret.Value }
	}
	u := unexported{key: v}
	u.deep.list = []secret.Value{v}
	master, err := secret.ParseMasterKey(hidden + hidden + "A")
	if err != nil {
		panic(err)
	}
	return map[string]any{
		"value":             v,
		"pointer":           &v,
		"exported field":    exported{v},
		"unexported field":  u,
		"pointer to struct": &u,
		"slice":             []secret.Value{v},
		"map":               map[string]secret.Value{"k": v},
		"interface":         []any{v, &v},
		"master key":        master,
		"master key inside": struct{ k secret.MasterKey }{master},
	}
}

func TestNoFormattingVerbShowsASecret(t *testing.T) {
	master, err := secret.ParseMasterKey(hidden + hidden + "A")
	if err != nil {
		t.Fatal(err)
	}
	leaks := []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden), fmt.Sprint([]byte(hidden))[1:20], master.Reveal()[:20]}
	for name, holder := range holders() {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%t", "%10.3s"} {
			out := fmt.Sprintf(verb, holder)
			for _, leak := range leaks {
				if strings.Contains(out, leak) {
					t.Errorf("%s of %s shows the secret: %s", verb, name, out)
				}
			}
		}
	}
}

func TestLogsAndEncodersNeverShowASecret(t *testing.T) {
	for name, holder := range holders() {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "holder", holder)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "holder", holder)
		encoded, err := json.Marshal(holder)
		if err != nil {
			t.Fatalf("encoding %s: %v", name, err)
		}
		out.Write(encoded)
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%s shows the secret: %s", name, out.String())
		}
	}
	encoded, err := json.Marshal(map[string]secret.Value{"a": secret.New(hidden), "b": {}})
	if want := `{"a":"[redacted]","b":"[redacted]"}`; err != nil || string(encoded) != want {
		t.Errorf("JSON is %s (%v), want %s", encoded, err, want)
	}
}

func TestValueRevealsWhatItWasGiven(t *testing.T) {
	for _, text := range []string{"", "a", hidden, "ключ\x00"} {
		v := secret.New(text)
		if v.Reveal() != text || v.IsZero() != (text == "") {
			t.Errorf("New(%q) reveals %q, zero %v", text, v.Reveal(), v.IsZero())
		}
	}
	if fmt.Sprint(secret.Value{}) != secret.Redacted {
		t.Error("an empty secret prints differently from a full one, which tells them apart in logs")
	}
}

func TestValuesAreEqualByContent(t *testing.T) {
	a, b := secret.New(hidden), secret.New(strings.Clone(hidden))
	if !a.Equal(b) || !cmp.Equal(a, b) {
		t.Error("equal texts are not Equal")
	}
	for _, other := range []string{"", hidden + "x", hidden[1:], "Correct-horse-battery"} {
		if a.Equal(secret.New(other)) {
			t.Errorf("%q is Equal to another secret", other)
		}
	}
	if !(secret.Value{}).Equal(secret.New("")) {
		t.Error("two empty secrets differ")
	}
}

func TestDecodingASecret(t *testing.T) {
	tests := []struct {
		name, in, want string
		fails          bool
	}{
		{"string", `{"k":"pa\"ss"}`, `pa"ss`, false},
		{"null", `{"k":null}`, "", false},
		{"absent", `{}`, "", false},
		{"number", `{"k":17}`, "", true},
		{"object", `{"k":{"a":"topsecret"}}`, "", true},
		{"redaction mark", `{"k":"[redacted]"}`, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got struct {
				K secret.Value `json:"k"`
			}
			err := json.Unmarshal([]byte(tt.in), &got)
			if (err != nil) != tt.fails {
				t.Fatalf("error %v, want one: %v", err, tt.fails)
			}
			if err != nil && strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the error quotes the input: %v", err)
			}
			if got.K.Reveal() != tt.want {
				t.Errorf("decoded %q, want %q", got.K.Reveal(), tt.want)
			}
		})
	}
	var v secret.Value
	if err := json.Unmarshal([]byte(`"[redacted]"`), &v); !errors.Is(err, secret.ErrRedactedInput) {
		t.Errorf("decoding the mark gives %v, want ErrRedactedInput", err)
	}
}
