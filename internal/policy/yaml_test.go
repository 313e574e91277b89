package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"go.yaml.in/yaml/v3"
)

// pairs is a mapping in the order of its file: the order of attributes shows
// in reasons.
type pairs []pair

type pair struct {
	Key   string
	Value any
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (p *pairs) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: not a mapping", n.Line)
	}
	for i := 0; i < len(n.Content); i += 2 {
		item := pair{Key: n.Content[i].Value}
		if err := n.Content[i+1].Decode(&item.Value); err != nil {
			return err
		}
		*p = append(*p, item)
	}
	return nil
}

// readYAML refuses unknown keys: a misspelt expectation would expect nothing.
func readYAML(t testing.TB, name string, into any) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
