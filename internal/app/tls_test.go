package app_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/app"
)

// serials numbers the certificates of the tests.
var serials atomic.Int64

// certificate writes a self-signed certificate and key into dir.
func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)), Subject: pkix.Name{CommonName: "kagiban test"}, DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return cert, key, pool
}

func TestTLSServesHTTP2AndNothingOld(t *testing.T) {
	cert, key, pool := certificate(t, t.TempDir())
	s := run(t, func(c *app.Config) { c.TLSCert, c.TLSKey = cert, key })
	s.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	resp, err := s.http.Get(s.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if a := s.read(resp); a.code != 200 || resp.ProtoMajor != 2 {
		t.Errorf("got %d over HTTP/%d", a.code, resp.ProtoMajor)
	}
	s.owner()

	conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 was taken")
	}
	plain, err := http.Get("http://" + s.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	if a := s.read(plain); a.code == 200 {
		t.Error("plain HTTP was served on the TLS port")
	}
	http.DefaultClient.CloseIdleConnections()
}

// served gives the serial number of the certificate that a new connection sees.
func served(t *testing.T, s *server) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestARenewedCertificateIsServedWithoutRestart(t *testing.T) {
	dir := t.TempDir()
	cert, key, _ := certificate(t, dir)
	s := run(t, func(c *app.Config) {
		c.TLSCert, c.TLSKey = cert, key
		app.WatchCertificate(c)
	})
	first := served(t, s)
	if again := served(t, s); again != first {
		t.Fatalf("certificate %d became %d", first, again)
	}

	if err := os.WriteFile(cert, []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := served(t, s); got != first {
		t.Errorf("with a broken file certificate %d is served", got)
	}
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	if got := served(t, s); got != first {
		t.Errorf("without a file certificate %d is served", got)
	}
	if log := s.log.String(); !strings.Contains(log, "the old one stays in use") {
		t.Errorf("the log does not tell of it: %s", log)
	}

	certificate(t, dir)
	if got := served(t, s); got != serials.Load() {
		t.Errorf("certificate %d is served, the file holds %d", got, serials.Load())
	}
}

func TestAReloadServesTheRenewedCertificateAtOnce(t *testing.T) {
	dir := t.TempDir()
	cert, key, _ := certificate(t, dir)
	s := run(t, func(c *app.Config) { c.TLSCert, c.TLSKey = cert, key })
	first := served(t, s)
	certificate(t, dir)
	if got := served(t, s); got != first {
		t.Fatalf("certificate %d is served before the reload", got)
	}
	s.Reload()
	if got := served(t, s); got != serials.Load() {
		t.Errorf("certificate %d is served, the file holds %d", got, serials.Load())
	}
}

func TestAServerDoesNotStartWithoutItsCertificate(t *testing.T) {
	cfg := app.Config{Settings: settings(t), Log: discard}
	cfg.TLSCert, cfg.TLSKey = t.TempDir()+"/none", t.TempDir()+"/none"
	if _, err := app.New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}
