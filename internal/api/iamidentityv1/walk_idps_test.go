package iamidentityv1_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/kagiban/kagiban/internal/httpapi"
)

// quickKey makes a key in less time than RSA takes.
func quickKey() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

// newPair makes a certificate that is valid around the start of the tests, and
// its key, both in PEM.
func newPair(t testing.TB) (certificate, key string) {
	t.Helper()
	signer, err := quickKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: start.Add(-time.Hour),
		NotAfter: start.Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// samlIdP is the body that makes a SAML identity provider.
func samlIdP(name string, pairs ...any) string {
	return obj(append([]any{
		"account_id", acct, "name", name, "type", "saml",
		"properties", map[string]any{
			"idp": map[string]any{"entity_id": "http://idp.example.com/hidden", "redirect_binding_url": "https://idp.example.com/sso",
				"want_request_signed": true},
			"sp": map[string]any{"want_assertion_signed": true, "encrypt_response": true},
		},
		"secrets", map[string]any{"idp": map[string]any{}, "sp": map[string]any{}},
	}, pairs...)...)
}

// metadata is the document of an identity provider with a certificate in PEM.
func metadata(certificate string) string {
	block, _ := pem.Decode([]byte(certificate))
	return fmt.Sprintf(`<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://imported.example.com">
 <md:IDPSSODescriptor WantAuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
  <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>
   %s
  </ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
  <md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://imported.example.com/logout"/>
  <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://imported.example.com/post"/>
  <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://imported.example.com/sso"/>
 </md:IDPSSODescriptor>
</md:EntityDescriptor>`, base64.StdEncoding.EncodeToString(block.Bytes))
}

// newIdP makes a SAML identity provider of the first account and gives its id.
func (s *server) newIdP(name string, pairs ...any) string {
	s.t.Helper()
	return text(s.t, s.do("ann", "POST", "/v1/idps", samlIdP(name, pairs...)).ok(201), "idp_id")
}

const fullUse = `{"cloud_user_strategy":"STATIC","active":true,"ui_default":true}`

// bind makes a caller's account use an identity provider.
func (s *server) bind(caller, idpID string) answer {
	s.t.Helper()
	return s.do(caller, "POST", "/v2/loginsettings/"+s.callers[caller].Account+"/idps/"+idpID, fullUse)
}

// addReports puts a finished report of each kind into the world.
func (s *server) addReports(w world) {
	s.t.Helper()
	for kind, base := range map[string]string{"reference": "/v1/activity/accounts/", "mfa reference": "/v1/mfa/accounts/"} {
		path := base + acct + "/report"
		w.ids[kind] = text(s.t, s.do("ann", "POST", path, "").ok(202), "reference")
		s.do("ann", "GET", path+"/"+w.ids[kind], "").ok(204)
	}
}

// addIdPs puts two identity providers into the world: one that the account
// uses and that was tested, and a free one.
func (s *server) addIdPs(w world) {
	s.t.Helper()
	w.ids["idp_id"], w.ids["free idp"] = s.newIdP("hidden idp"), s.newIdP("hidden free idp")
	s.bind("ann", w.ids["idp_id"]).ok(200)
	s.do("ann", "POST", "/v1/idps/"+w.ids["idp_id"]+"/test", "").ok(200)
	certificate, _ := newPair(s.t)
	w.bodies["create_idp"] = samlIdP("n")
	w.bodies["import_saml_idp_metadata"] = metadata(certificate)
	w.bodies["add_idp_setting"] = fullUse
}

// idpKindOf tells which id a wildcard of these operations stands for, "" when
// it is the one of its name.
func idpKindOf(op httpapi.Operation, wildcard string) string {
	switch {
	case wildcard == "idp_id" && (op.ID == "delete_idp" || op.ID == "add_idp_setting"):
		return "free idp"
	case wildcard == "reference" && op.ID == "get_mfa_report":
		return "mfa reference"
	}
	return ""
}

// idpQueries are the parameters that operations of the walk need.
var idpQueries = map[string]string{"get_mfa_status": "?iam_id=" + ann, "list_idp_settings": "?type=consumable"}
