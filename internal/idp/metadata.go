package idp

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// Bounds of a metadata document: those of large real ones, several times over.
const (
	MaxMetadata = 256 << 10 // bytes
	maxLevels   = 32
	maxElements = 5000
)

// Names of SAML 2.0.
const (
	nsMetadata   = "urn:oasis:names:tc:SAML:2.0:metadata"
	protocol     = "urn:oasis:names:tc:SAML:2.0:protocol"
	redirect     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	post         = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	emailAddress = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
)

// Metadata is what a metadata document says of an identity provider.
type Metadata struct {
	EntityID           string
	RedirectBindingURL string
	LogoutURL          string // "" if none
	WantRequestSigned  bool
	Signing            []Certificate // one at least
	Encrypting         []Certificate
}

type xmlEntity struct {
	EntityID string   `xml:"entityID,attr"`
	IdPs     []xmlIdP `xml:"urn:oasis:names:tc:SAML:2.0:metadata IDPSSODescriptor"`
}

type xmlEntities struct {
	Entities []xmlEntity `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
}

type xmlIdP struct {
	WantSigned string        `xml:"WantAuthnRequestsSigned,attr"`
	Keys       []xmlKey      `xml:"urn:oasis:names:tc:SAML:2.0:metadata KeyDescriptor"`
	SignOn     []xmlEndpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleSignOnService"`
	Logout     []xmlEndpoint `xml:"urn:oasis:names:tc:SAML:2.0:metadata SingleLogoutService"`
}

type xmlKey struct {
	Use  string     `xml:"use,attr,omitempty"`
	Info xmlKeyInfo `xml:"http://www.w3.org/2000/09/xmldsig# KeyInfo"`
}

type xmlKeyInfo struct {
	Certificates []string `xml:"X509Data>X509Certificate"`
}

type xmlEndpoint struct {
	Binding  string `xml:"Binding,attr"`
	Location string `xml:"Location,attr"`
	Index    string `xml:"index,attr,omitempty"`
	Default  string `xml:"isDefault,attr,omitempty"`
}

type xmlSPEntity struct {
	XMLName  xml.Name `xml:"urn:oasis:names:tc:SAML:2.0:metadata EntityDescriptor"`
	EntityID string   `xml:"entityID,attr"`
	SP       *xmlSP   `xml:"SPSSODescriptor"`
}

type xmlSP struct {
	SignedRequests   bool          `xml:"AuthnRequestsSigned,attr"`
	SignedAssertions bool          `xml:"WantAssertionsSigned,attr"`
	Protocol         string        `xml:"protocolSupportEnumeration,attr"`
	Keys             []xmlKey      `xml:"KeyDescriptor"`
	Logout           []xmlEndpoint `xml:"SingleLogoutService"`
	NameIDFormat     string        `xml:"NameIDFormat"`
	Consumers        []xmlEndpoint `xml:"AssertionConsumerService"`
}

// badMetadata is the error for a document that is refused.
func badMetadata(why string) error {
	return fault.Field("body", "The metadata is not usable: %s.", why)
}

// ParseMetadata reads the metadata document of a SAML identity provider: an
// EntityDescriptor, or EntitiesDescriptor with one identity provider. Document
// type declarations, and with them entities, are refused. The signature of a
// document is not checked: who sends it is authorized to. Errors are fault.Invalid.
func ParseMetadata(raw []byte) (*Metadata, error) {
	root, err := walkXML(raw)
	if err != nil {
		return nil, err
	}
	var entities []xmlEntity
	switch root {
	case xml.Name{Space: nsMetadata, Local: "EntityDescriptor"}:
		entities = make([]xmlEntity, 1)
		err = xml.Unmarshal(raw, &entities[0])
	case xml.Name{Space: nsMetadata, Local: "EntitiesDescriptor"}:
		var all xmlEntities
		err = xml.Unmarshal(raw, &all)
		entities = all.Entities
	default:
		return nil, badMetadata("its root is not an EntityDescriptor of SAML 2.0")
	}
	if err != nil {
		return nil, badMetadata("it is not well-formed")
	}
	var found *Metadata
	for i := range entities {
		if len(entities[i].IdPs) == 0 {
			continue
		}
		if found != nil || len(entities[i].IdPs) > 1 {
			return nil, badMetadata("it holds more than one identity provider")
		}
		if found, err = entities[i].identityProvider(); err != nil {
			return nil, err
		}
	}
	if found == nil {
		return nil, badMetadata("it holds no identity provider")
	}
	return found, nil
}

// walkXML reads a document once, within bounds, and gives the name of its root.
func walkXML(raw []byte) (root xml.Name, err error) {
	if len(raw) > MaxMetadata {
		return root, fault.New(fault.TooLarge, "The metadata is larger than %d bytes.", MaxMetadata)
	}
	d := xml.NewDecoder(bytes.NewReader(raw))
	level, elements := 0, 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return root, badMetadata("it is not well-formed")
		}
		switch token := token.(type) {
		case xml.Directive:
			return root, badMetadata("it has a document type declaration")
		case xml.StartElement:
			if level == 0 && elements > 0 {
				return root, badMetadata("it is not well-formed")
			}
			if elements == 0 {
				root = token.Name
			}
			level++
			elements++
			if level > maxLevels || elements > maxElements {
				return root, badMetadata("it is too large")
			}
		case xml.EndElement:
			level--
		}
	}
	return root, nil
}

func (e *xmlEntity) identityProvider() (*Metadata, error) {
	idp := &e.IdPs[0]
	out := &Metadata{EntityID: strings.TrimSpace(e.EntityID), WantRequestSigned: idp.WantSigned == "true" || idp.WantSigned == "1"}
	for _, at := range idp.SignOn {
		if at.Binding == redirect && out.RedirectBindingURL == "" {
			out.RedirectBindingURL = strings.TrimSpace(at.Location)
		}
	}
	for _, at := range idp.Logout {
		if at.Binding == redirect && out.LogoutURL == "" {
			out.LogoutURL = strings.TrimSpace(at.Location)
		}
	}
	if err := required("entityID", out.EntityID, maxText); err != nil {
		return nil, badMetadata("it has no usable entityID")
	}
	if out.RedirectBindingURL == "" || checkURL("", out.RedirectBindingURL) != nil {
		return nil, badMetadata("it has no SingleSignOnService with a usable location for HTTP-Redirect")
	}
	if checkURL("", out.LogoutURL) != nil {
		return nil, badMetadata("its SingleLogoutService has no usable location")
	}
	for _, k := range idp.Keys {
		for _, text := range k.Info.Certificates {
			cert, err := parseCertificate("", text)
			if err != nil {
				return nil, badMetadata("an X509Certificate is none")
			}
			value := printCertificate(cert.Raw)
			if k.Use != "encryption" {
				out.Signing = addCertificate(out.Signing, value)
			}
			if k.Use != "signing" {
				out.Encrypting = addCertificate(out.Encrypting, value)
			}
		}
	}
	if len(out.Signing) == 0 {
		return nil, badMetadata("it has no certificate for signing")
	}
	return out, nil
}

// addCertificate takes the first two different certificates of a list.
func addCertificate(list []Certificate, value string) []Certificate {
	types := []string{primary, secondary}
	if len(list) == len(types) || len(list) > 0 && list[0].Value == value {
		return list
	}
	return append(list, Certificate{value, types[len(list)]})
}

// change is what the metadata changes in an identity provider.
func (m *Metadata) change() Change {
	properties := map[string]any{
		"xml_import": true, "entity_id": m.EntityID, "redirect_binding_url": m.RedirectBindingURL,
		"want_request_signed": m.WantRequestSigned, "logout_url": nil,
	}
	if m.LogoutURL != "" {
		properties["logout_url"] = m.LogoutURL
	}
	return Change{
		Properties: map[string]any{"idp": properties},
		Secrets:    map[string]any{"idp": map[string]any{"xml_import": true, "signing": trees(m.Signing), "encrypting": trees(m.Encrypting)}},
	}
}

func trees(list []Certificate) []any {
	out := make([]any, len(list))
	for i, c := range list {
		out[i] = tree(c)
	}
	return out
}

// Import takes over what the metadata says of a SAML identity provider that was
// found. fault.Conflict for one of another type.
func (s *Service) Import(ctx context.Context, found *IdP, m *Metadata) (*IdP, error) {
	return IdPs.Edit(ctx, s.db, found, func(_ store.Tx, p *IdP) (store.Event, error) {
		params, err := s.take(p, m)
		return event("update", &p.Meta, params...), err
	})
}

// TryImport gives what Import would make of an identity provider and stores
// nothing.
func (s *Service) TryImport(found *IdP, m *Metadata) (*IdP, error) {
	p := *found
	_, err := s.take(&p, m)
	return &p, err
}

func (s *Service) take(p *IdP, m *Metadata) (params []string, err error) {
	if err := p.isSAML(); err != nil {
		return nil, err
	}
	change := m.change()
	return s.apply(p, &change)
}

func (p *IdP) isSAML() error {
	if p.Type == TypeSAML {
		return nil
	}
	return &fault.Error{Kind: fault.Conflict, Code: "conflict", Message: "The identity provider is not of type saml.",
		Details: fmt.Sprintf("Object type '%s' with ID '%s' has type '%s'.", whatIdP, p.ID, p.Type)}
}

// saml opens the configuration of an identity provider of type saml.
func (s *Service) saml(p *IdP) (properties SAMLProperties, secrets SAMLSecrets, err error) {
	c, err := s.open(p)
	if err != nil {
		return properties, secrets, err
	}
	err = errors.Join(into("properties", c.properties, &properties), into("secrets", c.secrets, &secrets))
	return properties, secrets, err
}

// Export prints the metadata of this side, the service provider, for a SAML
// identity provider. base is the URL of this server, without slash at its end.
// The error is fault.Conflict for another type.
func (s *Service) Export(p *IdP, base string) ([]byte, error) {
	if err := p.isSAML(); err != nil {
		return nil, err
	}
	properties, secrets, err := s.saml(p)
	if err != nil {
		return nil, err
	}
	sp := &xmlSP{
		SignedRequests: properties.IdP.WantRequestSigned, SignedAssertions: properties.SP.WantAssertionSigned, Protocol: protocol,
		Logout:       []xmlEndpoint{{Binding: redirect, Location: base + "/saml2/logout/" + p.ID}},
		NameIDFormat: emailAddress,
		Consumers:    []xmlEndpoint{{Binding: post, Location: base + "/saml2/acs/" + p.ID, Index: "0", Default: "true"}},
	}
	for _, pair := range secrets.SP.Signing {
		info := xmlKeyInfo{[]string{base64.StdEncoding.EncodeToString(der("CERTIFICATE", pair.Certificate))}}
		sp.Keys = append(sp.Keys, xmlKey{"signing", info})
		if properties.SP.EncryptResponse {
			sp.Keys = append(sp.Keys, xmlKey{"encryption", info})
		}
	}
	out, err := xml.MarshalIndent(xmlSPEntity{EntityID: base + "/saml2/metadata/" + p.ID, SP: sp}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("printing metadata: %w", err)
	}
	return append([]byte(xml.Header), append(out, '\n')...), nil
}
