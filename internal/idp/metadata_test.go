package idp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/store"
)

func testService(t testing.TB) *Service {
	t.Helper()
	return New(Config{
		Sealer: testSealer(t), Now: func() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) },
		NewKey: func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
	})
}

// bare gives a certificate as metadata holds it.
func bare(t testing.TB, s *Service) string {
	t.Helper()
	pair, err := s.newPair("test")
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der("CERTIFICATE", pair.Certificate))
}

const signOn = `<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://x.example/sso"/>`

func keyXML(use, certificate string) string {
	return fmt.Sprintf(`<KeyDescriptor %s><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>%s</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`, use, certificate)
}

func entity(inner string) string {
	return `<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:x">` + inner + `</EntityDescriptor>`
}

func TestMetadataOfIdentityProvidersIsRead(t *testing.T) {
	s := testService(t)
	a, b, c := bare(t, s), bare(t, s), bare(t, s)
	pem := func(text string) string { return printCertificate(der("CERTIFICATE", text)) }
	one := `<IDPSSODescriptor WantAuthnRequestsSigned="1">` + keyXML(`use="signing"`, a) + keyXML("", b) + keyXML(`use="encryption"`, c) +
		signOn + `</IDPSSODescriptor>`
	want := &Metadata{
		EntityID: "urn:x", RedirectBindingURL: "https://x.example/sso", WantRequestSigned: true,
		Signing: []Certificate{{pem(a), primary}, {pem(b), secondary}}, Encrypting: []Certificate{{pem(b), primary}, {pem(c), secondary}},
	}
	for name, document := range map[string]string{
		"one entity": entity(one),
		"several": `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` + entity("") + entity(one) +
			`</EntitiesDescriptor>`,
		"with white room": "\n" + entity("<!-- x -->"+strings.ReplaceAll(one, a, "\n "+a[:20]+"\n\t"+a[20:])) + "\n",
	} {
		got, err := ParseMetadata([]byte(document))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMetadataThatIsNotUsableIsRefused(t *testing.T) {
	s := testService(t)
	key := keyXML("", bare(t, s))
	idp := func(inner string) string { return entity("<IDPSSODescriptor>" + inner + "</IDPSSODescriptor>") }
	good := idp(key + signOn)
	if _, err := ParseMetadata([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, document := range map[string]string{
		"empty": "", "text": "hello", "cut off": good[:len(good)-5], "twice": good + good, "JSON": `{"a":1}`, "NUL": good + "\x00",
		"another root":          `<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol"/>`,
		"no namespace":          strings.Replace(good, `xmlns="urn:oasis:names:tc:SAML:2.0:metadata"`, "", 1),
		"DTD":                   `<!DOCTYPE x SYSTEM "file:///etc/passwd">` + good,
		"entities":              `<!DOCTYPE x [<!ENTITY a "aaaa">]>` + strings.Replace(good, "urn:x", "&a;", 1),
		"unknown entity":        strings.Replace(good, "urn:x", "&a;", 1),
		"another character set": `<?xml version="1.0" encoding="UTF-16"?>` + good,
		"no identity provider":  entity(""),
		"two": entity("<IDPSSODescriptor>" + key + signOn + "</IDPSSODescriptor><IDPSSODescriptor>" + key + signOn +
			"</IDPSSODescriptor>"),
		"no certificate":       idp(signOn),
		"bad certificate":      idp(keyXML("", "AAAA") + signOn),
		"no sign-on":           idp(key),
		"sign-on by POST only": idp(key + strings.Replace(signOn, "HTTP-Redirect", "HTTP-POST", 1)),
		"script as location":   idp(key + strings.Replace(signOn, "https://x.example/sso", "javascript:x()", 1)),
		"no entity ID":         strings.Replace(good, "urn:x", "", 1),
		"deep":                 strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000),
		"many elements":        "<a>" + strings.Repeat("<b/>", 10000) + "</a>",
	} {
		m, err := ParseMetadata([]byte(document))
		if !errors.Is(err, fault.Invalid) || m != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if _, err := ParseMetadata(bytes.Repeat([]byte(" "), MaxMetadata+1)); !errors.Is(err, fault.TooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func TestExportedMetadataIsWellFormedWhateverTheNames(t *testing.T) {
	s := testService(t)
	p := &IdP{Meta: store.Meta{Account: "a", ID: `idp-<&">`}, Type: TypeSAML}
	c := &configuration{properties: tree(SAMLProperties{SP: SAMLSP{EncryptResponse: true}}), secrets: map[string]any{}}
	if err := s.putConfiguration(p, c); err != nil {
		t.Fatal(err)
	}
	raw, err := s.Export(p, "https://iam.example.com")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		EntityID string `xml:"entityID,attr"`
		Keys     []struct {
			Use string `xml:"use,attr"`
		} `xml:"urn:oasis:names:tc:SAML:2.0:metadata SPSSODescriptor>KeyDescriptor"`
	}
	if err := xml.Unmarshal(raw, &got); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	if got.EntityID != "https://iam.example.com/saml2/metadata/"+p.ID || len(got.Keys) != 2 || got.Keys[0].Use != "signing" ||
		got.Keys[1].Use != "encryption" {
		t.Errorf("%+v in %s", got, raw)
	}
	if strings.Contains(string(raw), "PRIVATE") {
		t.Errorf("a key leaves: %s", raw)
	}
}

// FuzzParseMetadata: whatever is read can be taken over into a SAML identity
// provider, and everything else is refused without a defect.
func FuzzParseMetadata(f *testing.F) {
	s := testService(f)
	key := keyXML(`use="signing"`, bare(f, s))
	f.Add([]byte(entity("<IDPSSODescriptor>" + key + signOn + "</IDPSSODescriptor>")))
	f.Add([]byte(`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">` + entity("") + `</EntitiesDescriptor>`))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseMetadata(raw)
		if err != nil {
			if kind := fault.Of(err).Kind; kind != fault.Invalid && kind != fault.TooLarge {
				t.Fatal(err)
			}
			return
		}
		change := m.change()
		if _, err := configure(TypeSAML, configuration{}, change.Properties, change.Secrets); err != nil {
			t.Fatalf("what was read is refused: %v", err)
		}
	})
}

// FuzzSecrets: whatever secrets a client sends, masking shows none of their
// texts, and sending the mask back keeps them.
func FuzzSecrets(f *testing.F) {
	f.Add("bind password", "pin")
	f.Add(secret.Redacted, "")
	f.Fuzz(func(t *testing.T, a, b string) {
		now := map[string]any{"a": a, "list": []any{b, map[string]any{"n": 5.0, "on": true, "none": nil}}}
		shown := mask(now).(map[string]any)
		if shown["a"] != secret.Redacted || shown["list"].([]any)[0] != secret.Redacted {
			t.Fatalf("masked %v", shown)
		}
		if diff := cmp.Diff(now, unmask(shown, now)); diff != "" {
			t.Fatal(diff)
		}
	})
}
