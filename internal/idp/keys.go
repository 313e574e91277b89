package idp

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
)

// SAMLSecrets are the certificates and keys of a SAML identity provider.
type SAMLSecrets struct {
	IdP struct {
		XMLImport  bool          `json:"xml_import,omitempty"`
		Signing    []Certificate `json:"signing,omitempty"`
		Encrypting []Certificate `json:"encrypting,omitempty"`
	} `json:"idp"`
	SP struct {
		Signing []KeyPair `json:"signing,omitempty"`
	} `json:"sp"`
}

// Certificate is one of the identity provider's.
type Certificate struct {
	Value string `json:"value"` // PEM
	Type  string `json:"type"`  // primary or secondary; at most one of each
}

// KeyPair is a key of the service provider, that is of this side.
type KeyPair struct {
	Certificate string `json:"certificate_value"` // PEM
	Key         string `json:"key_value"`         // PEM
	Encoding    string `json:"key_encoding"`      // pkcs8
	Type        string `json:"type"`
}

// Values of the types and encodings.
const (
	primary   = "primary"
	secondary = "secondary"
	pkcs8     = "pkcs8"
)

// certificateLife is how long a generated certificate lasts. Identity providers
// pin it; nobody wants to exchange it often.
const certificateLife = 10 * 365 * 24 * time.Hour

// check brings certificates and keys to PEM and refuses what is none.
func (s *SAMLSecrets) check() error {
	for field, list := range map[string][]Certificate{"secrets.idp.signing": s.IdP.Signing, "secrets.idp.encrypting": s.IdP.Encrypting} {
		types := make([]*string, len(list))
		for i := range list {
			types[i] = &list[i].Type
			cert, err := parseCertificate(field+".value", list[i].Value)
			if err != nil {
				return err
			}
			list[i].Value = printCertificate(cert.Raw)
		}
		if err := checkTypes(field, types); err != nil {
			return err
		}
	}
	const field = "secrets.sp.signing"
	types := make([]*string, len(s.SP.Signing))
	for i := range s.SP.Signing {
		types[i] = &s.SP.Signing[i].Type
		if err := s.SP.Signing[i].check(field); err != nil {
			return err
		}
	}
	return checkTypes(field, types)
}

// checkTypes lets a list have one primary and one secondary entry; an entry
// without type is the one that is missing.
func checkTypes(field string, types []*string) error {
	seen := map[string]bool{}
	for _, t := range types {
		if *t == "" {
			if *t = primary; seen[primary] {
				*t = secondary
			}
		}
		if *t != primary && *t != secondary {
			return fault.Field(field+".type", "Property '%s.type' must be primary or secondary.", field)
		}
		if seen[*t] {
			return fault.Field(field+".type", "Property '%s' holds more than one %s entry.", field, *t)
		}
		seen[*t] = true
	}
	return nil
}

func (k *KeyPair) check(field string) error {
	cert, err := parseCertificate(field+".certificate_value", k.Certificate)
	if err != nil {
		return err
	}
	if k.Encoding == "" {
		k.Encoding = pkcs8
	}
	if k.Encoding != pkcs8 {
		return fault.Field(field+".key_encoding", "Property '%s.key_encoding' must be pkcs8.", field)
	}
	if k.Key == "" {
		return fault.Missing(field + ".key_value")
	}
	key, err := x509.ParsePKCS8PrivateKey(der("PRIVATE KEY", k.Key))
	if err != nil {
		return fault.Field(field+".key_value", "Property '%s.key_value' is not a private key in PKCS #8.", field)
	}
	signer, ok := key.(crypto.Signer)
	public, comparable := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !comparable || !public.Equal(signer.Public()) {
		return fault.Field(field+".key_value", "Property '%s.key_value' does not belong to the certificate.", field)
	}
	k.Certificate = printCertificate(cert.Raw)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding key: %w", err)
	}
	k.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	return nil
}

// der gives the bytes of a PEM text with one block of a type, or of bare
// base64; nil when it is neither.
func der(kind, text string) []byte {
	if block, rest := pem.Decode([]byte(text)); block != nil {
		if block.Type != kind || len(bytes.TrimSpace(rest)) > 0 {
			return nil
		}
		return block.Bytes
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil
	}
	return raw
}

func parseCertificate(field, text string) (*x509.Certificate, error) {
	if text == "" {
		return nil, fault.Missing(field)
	}
	cert, err := x509.ParseCertificate(der("CERTIFICATE", text))
	if err != nil {
		return nil, fault.Field(field, "Property '%s' is not a certificate in PEM.", field)
	}
	return cert, nil
}

func printCertificate(raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// addKey gives a SAML configuration a key of its own when it has none.
func (s *Service) addKey(p *IdP, c *configuration) error {
	var secrets SAMLSecrets
	if err := into("secrets", c.secrets, &secrets); err != nil {
		return err
	}
	if len(secrets.SP.Signing) > 0 {
		return nil
	}
	pair, err := s.newPair(p.ID)
	if err != nil {
		return fmt.Errorf("making a key for %s: %w", p.ID, err)
	}
	secrets.SP.Signing = []KeyPair{*pair}
	c.secrets = tree(secrets)
	return nil
}

// newPair makes a key with a certificate that it signs itself.
func (s *Service) newPair(name string) (*KeyPair, error) {
	key, err := s.newKey()
	if err != nil {
		return nil, err
	}
	now := s.now().UTC()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), // clocks differ
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &KeyPair{
		Certificate: printCertificate(cert), Key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
		Encoding: pkcs8, Type: primary,
	}, nil
}
