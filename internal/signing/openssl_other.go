//go:build !(cgo && linux)

package signing

import "fmt"

// openSSLVersion fails: this build cannot load shared libraries.
func openSSLVersion() (string, error) {
	return "", fmt.Errorf("%w: this build has no cgo or is not for Linux", ErrNoOpenSSL)
}

func newOpenSSLSigner(*Key) (Signer, error) {
	_, err := openSSLVersion()
	return nil, err
}
