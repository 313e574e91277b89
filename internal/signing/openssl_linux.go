//go:build cgo && linux

package signing

// #cgo LDFLAGS: -ldl
// #include <dlfcn.h>
// #include <stdlib.h>
import "C"

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"github.com/golang-fips/openssl/v2"
	"github.com/golang-fips/openssl/v2/bbig"
)

// libcrypto is loaded by this name, the ABI of every OpenSSL 3.x.
const libcrypto = "libcrypto.so.3"

// optionalSymbols are the functions that the binding needs although a libcrypto
// can be built without them (no-des, no-rc4 and so on). The binding ends the
// process when one is missing, so they are looked for before it is asked to
// load the library.
var optionalSymbols = []string{
	"EVP_md4", "EVP_md5", "EVP_md5_sha1", "EVP_rc4",
	"EVP_des_ecb", "EVP_des_cbc", "EVP_des_ede3_ecb", "EVP_des_ede3_cbc",
	"EC_POINT_new", "EC_POINT_mul", "EC_POINT_set_affine_coordinates", "EC_GROUP_new_by_curve_name",
	"EVP_sha3_256", "EVP_PKEY_CTX_set_hkdf_mode", "EVP_PKEY_CTX_set_tls1_prf_md", "EVP_SIGNATURE_fetch",
}

// openSSLVersion loads libcrypto once per process and returns its version, such
// as "3.0.19". The library stays loaded.
var openSSLVersion = sync.OnceValues(func() (string, error) {
	if err := probe(libcrypto); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoOpenSSL, err)
	}
	if err := openssl.Init(libcrypto); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoOpenSSL, err)
	}
	// "OpenSSL 3.0.19 27 Jan 2026"
	words := strings.Fields(openssl.VersionText())
	if len(words) < 2 || !strings.HasPrefix(words[1], "3.") {
		return "", fmt.Errorf("%w: %s says that it is %q", ErrNoOpenSSL, libcrypto, openssl.VersionText())
	}
	return words[1], nil
})

// probe opens the library without initialising it and looks for the functions
// that may be missing.
func probe(library string) error {
	name := C.CString(library)
	defer C.free(unsafe.Pointer(name))
	handle := C.dlopen(name, C.RTLD_LAZY|C.RTLD_LOCAL)
	if handle == nil {
		return fmt.Errorf("loading %s: %s", library, C.GoString(C.dlerror()))
	}
	defer C.dlclose(handle)
	for _, symbol := range optionalSymbols {
		s := C.CString(symbol)
		found := C.dlsym(handle, s) != nil
		C.free(unsafe.Pointer(s))
		if !found {
			return fmt.Errorf("%s was built without %s", library, symbol)
		}
	}
	return nil
}

// opensslRSA and opensslECDSA hold the native key, parsed once. OpenSSL 3 keys
// may be used by several threads at a time: each signature has its own context,
// which holds its own reference on the key, and RSA blinding locks inside.
type opensslRSA struct {
	key    *openssl.PrivateKeyRSA
	engine string
}

type opensslECDSA struct {
	key    *openssl.PrivateKeyECDSA
	engine string
}

var (
	_ Signer = (*opensslRSA)(nil)
	_ Signer = (*opensslECDSA)(nil)
)

func newOpenSSLSigner(key *Key) (Signer, error) {
	version, err := openSSLVersion()
	if err != nil {
		return nil, err
	}
	engine := "openssl " + version
	switch private := key.private.(type) {
	case *rsa.PrivateKey:
		native, err := nativeRSA(private)
		if err != nil {
			return nil, err
		}
		return &opensslRSA{key: native, engine: engine}, nil
	case *ecdsa.PrivateKey:
		native, err := nativeECDSA(private)
		if err != nil {
			return nil, err
		}
		return &opensslECDSA{key: native, engine: engine}, nil
	}
	return nil, fmt.Errorf("%w: %T", ErrKey, key.private)
}

func nativeRSA(private *rsa.PrivateKey) (*openssl.PrivateKeyRSA, error) {
	private.Precompute()
	pre := private.Precomputed
	if len(private.Primes) != 2 || pre.Dp == nil || pre.Dq == nil || pre.Qinv == nil {
		return nil, fmt.Errorf("%w: the RSA key has no two primes", ErrKey)
	}
	return openssl.NewPrivateKeyRSA(bbig.Enc(private.N), bbig.Enc(big.NewInt(int64(private.E))), bbig.Enc(private.D),
		bbig.Enc(private.Primes[0]), bbig.Enc(private.Primes[1]), bbig.Enc(pre.Dp), bbig.Enc(pre.Dq), bbig.Enc(pre.Qinv))
}

func nativeECDSA(private *ecdsa.PrivateKey) (*openssl.PrivateKeyECDSA, error) {
	point, err := private.PublicKey.Bytes() // 0x04 || x || y
	if err != nil {
		return nil, err
	}
	scalar, err := private.Bytes()
	if err != nil {
		return nil, err
	}
	number := func(b []byte) openssl.BigInt { return bbig.Enc(new(big.Int).SetBytes(b)) }
	return openssl.NewPrivateKeyECDSA("P-256", number(point[1:1+es256Half]), number(point[1+es256Half:]), number(scalar))
}

func (*opensslRSA) Algorithm() Algorithm   { return RS256 }
func (s *opensslRSA) Engine() string       { return s.engine }
func (*opensslECDSA) Algorithm() Algorithm { return ES256 }
func (s *opensslECDSA) Engine() string     { return s.engine }

// Sign keeps the key reachable until OpenSSL is done: the binding frees the
// native key in a finalizer, and only the caller knows that the key is in use.
func (s *opensslRSA) Sign(digest []byte) ([]byte, error) {
	defer runtime.KeepAlive(s.key)
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	sig, err := openssl.SignRSAPKCS1v15(s.key, crypto.SHA256, digest)
	if err != nil {
		return nil, fmt.Errorf("signing with RSA: %w", err)
	}
	return sig, nil
}

func (s *opensslECDSA) Sign(digest []byte) ([]byte, error) {
	defer runtime.KeepAlive(s.key)
	if err := checkDigest(digest); err != nil {
		return nil, err
	}
	der, err := openssl.SignMarshalECDSA(s.key, digest)
	if err != nil {
		return nil, fmt.Errorf("signing with ECDSA: %w", err)
	}
	return rawSignature(der)
}
