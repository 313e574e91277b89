//go:build cgo && linux

package signing

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWithoutALibraryAutoSignsInGo(t *testing.T) {
	loaded := openSSLVersion
	defer func() { openSSLVersion = loaded }()
	openSSLVersion = func() (string, error) { return "", fmt.Errorf("%w: test", ErrNoOpenSSL) }
	key, err := GenerateKey(ES256, 0, "k")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(key, EngineAuto)
	if err != nil || signer.Engine() != "go" {
		t.Errorf("auto gives %v, %v; want the Go signer", signer, err)
	}
	if signer, err := NewSigner(key, EngineOpenSSL); !errors.Is(err, ErrNoOpenSSL) || signer != nil {
		t.Errorf("openssl gives %v, %v; want ErrNoOpenSSL", signer, err)
	}
	if err := EngineOpenSSL.Check(); !errors.Is(err, ErrNoOpenSSL) {
		t.Errorf("Check says %v", err)
	}
}

func TestProbeNamesWhatIsMissing(t *testing.T) {
	if err := probe("libkagiban-nowhere.so.3"); err == nil || !strings.Contains(err.Error(), "libkagiban-nowhere") {
		t.Errorf("a library that does not exist: %v", err)
	}
	// The C library can be loaded but is no libcrypto.
	if err := probe("libc.so.6"); err == nil || !strings.Contains(err.Error(), "built without "+optionalSymbols[0]) {
		t.Errorf("a library without the functions: %v", err)
	}
}
