package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kagiban/kagiban/internal/signing"
)

func TestADevelopmentServerIsForThisMachineUnlessSaidOtherwise(t *testing.T) {
	for listen, local := range map[string]bool{"127.0.0.1:0": true, "localhost:0": true, "[::1]:0": true, "127.9.9.9:0": true,
		"0.0.0.0:0": false, ":0": false, "[::]:0": false, "10.0.0.1:0": false, "example.com:0": false} {
		for _, insecure := range []bool{false, true} {
			f := &devFlags{listen: listen, insecureListen: insecure, algorithm: string(signing.ES256), quiet: true}
			_, err := f.config(&streams{err: &bytes.Buffer{}})
			if taken := err == nil; taken != (local || insecure) {
				t.Errorf("--listen %s, insecure %v: %v", listen, insecure, err)
			}
			if err != nil && !strings.Contains(err.Error(), "--insecure-listen") {
				t.Errorf("--listen %s: the refusal names no way: %v", listen, err)
			}
			if warned := strings.Contains(f.warning(), "public"); warned == local {
				t.Errorf("--listen %s: the card warns: %v", listen, warned)
			}
		}
	}
}
