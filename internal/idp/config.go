package idp

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/secret"
	"github.com/kagiban/kagiban/internal/valid"
)

// Bounds of the configuration, ours: a SAML one with four certificates of the
// largest usual size stays under half of them.
const (
	maxProperties = 32 << 10 // bytes of JSON
	maxSecrets    = 64 << 10
	maxDepth      = 16
	maxURL        = 2048
	maxList       = 100 // URLs, authentication contexts, claims
	maxText       = 1024
)

// configuration is what type-specific rules apply to.
type configuration struct{ properties, secrets map[string]any }

// SAMLProperties is the configuration of a SAML identity provider.
type SAMLProperties struct {
	IdP SAMLIdP `json:"idp"`
	SP  SAMLSP  `json:"sp"`
}

// SAMLIdP is what the identity provider says of itself.
type SAMLIdP struct {
	XMLImport          bool   `json:"xml_import,omitempty"` // comes from metadata, perhaps later
	EntityID           string `json:"entity_id,omitempty"`
	RedirectBindingURL string `json:"redirect_binding_url,omitempty"`
	WantRequestSigned  bool   `json:"want_request_signed"`
	LogoutURL          string `json:"logout_url,omitempty"`
}

// SAMLSP is what this side, the service provider, demands.
type SAMLSP struct {
	WantAssertionSigned bool              `json:"want_assertion_signed"`
	WantResponseSigned  bool              `json:"want_response_signed"`
	EncryptResponse     bool              `json:"encrypt_response"`
	IdPInitiatedLogin   bool              `json:"idp_initiated_login_enabled"`
	LogoutURLEnabled    bool              `json:"logout_url_enabled_when_available"`
	IdPInitiatedURLs    []string          `json:"idp_initiated_urls,omitempty"`
	AuthnContext        *SAMLContext      `json:"authn_context,omitempty"`
	Claims              map[string]string `json:"claims,omitempty"`
}

// SAMLContext names the requested and accepted authentication context classes.
type SAMLContext struct {
	Request []string `json:"request,omitempty"`
	Accept  []string `json:"accept,omitempty"`
}

// configure puts new properties and secrets of an identity provider into the
// present ones and checks what comes out. Errors are fault.Invalid and name
// the property.
func configure(kind string, now configuration, properties, secrets map[string]any) (*configuration, error) {
	if err := checkTree("properties", properties, maxProperties); err != nil {
		return nil, err
	}
	if err := checkTree("secrets", secrets, maxSecrets); err != nil {
		return nil, err
	}
	out := &configuration{merge(now.properties, properties), unmask(merge(now.secrets, secrets), now.secrets).(map[string]any)}
	if kind == TypeSAML {
		if sp, ok := properties["sp"].(map[string]any); ok && sp["claims"] != nil {
			out.properties["sp"].(map[string]any)["claims"] = sp["claims"] // a mapping is replaced as a whole
		}
		if err := out.checkSAML(); err != nil {
			return nil, err
		}
	}
	// Together they may have grown over the bounds.
	if err := checkTree("properties", out.properties, maxProperties); err != nil {
		return nil, err
	}
	return out, checkTree("secrets", out.secrets, maxSecrets)
}

// checkSAML checks a SAML configuration and leaves the known properties only.
func (c *configuration) checkSAML() error {
	var properties SAMLProperties
	if err := into("properties", c.properties, &properties); err != nil {
		return err
	}
	if err := properties.check(); err != nil {
		return err
	}
	var secrets SAMLSecrets
	if err := into("secrets", c.secrets, &secrets); err != nil {
		return err
	}
	if err := secrets.check(); err != nil {
		return err
	}
	c.properties, c.secrets = tree(properties), tree(secrets)
	return nil
}

func (p *SAMLProperties) check() error {
	if p.IdP.EntityID == "" && !p.IdP.XMLImport {
		return fault.Missing("properties.idp.entity_id")
	}
	if p.IdP.EntityID != "" {
		if err := required("properties.idp.entity_id", p.IdP.EntityID, maxText); err != nil {
			return err
		}
	}
	if p.IdP.RedirectBindingURL == "" && !p.IdP.XMLImport {
		return fault.Missing("properties.idp.redirect_binding_url")
	}
	if err := checkURL("properties.idp.redirect_binding_url", p.IdP.RedirectBindingURL); err != nil {
		return err
	}
	if err := checkURL("properties.idp.logout_url", p.IdP.LogoutURL); err != nil {
		return err
	}
	if len(p.SP.IdPInitiatedURLs) > maxList {
		return fault.Field("properties.sp.idp_initiated_urls", "Property 'properties.sp.idp_initiated_urls' holds more than %d entries.", maxList)
	}
	for _, u := range p.SP.IdPInitiatedURLs {
		if u == "" {
			return fault.Missing("properties.sp.idp_initiated_urls")
		}
		if err := checkURL("properties.sp.idp_initiated_urls", u); err != nil {
			return err
		}
	}
	if c := p.SP.AuthnContext; c != nil {
		if err := checkList("properties.sp.authn_context.request", c.Request); err != nil {
			return err
		}
		if err := checkList("properties.sp.authn_context.accept", c.Accept); err != nil {
			return err
		}
	}
	var claims []string
	for name, value := range p.SP.Claims {
		claims = append(claims, name, value)
	}
	return checkList("properties.sp.claims", claims)
}

func checkList(field string, list []string) error {
	if len(list) > maxList {
		return fault.Field(field, "Property '%s' holds more than %d entries.", field, maxList)
	}
	for _, text := range list {
		if err := required(field, text, maxText); err != nil {
			return err
		}
	}
	return nil
}

// checkURL takes "" and absolute URLs of the web.
func checkURL(field, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil {
		return fault.Field(field, "Property '%s' must be an absolute URL of at most %d bytes.", field, maxURL)
	}
	return nil
}

// into reads a tree into a struct; unknown properties are ignored.
func into(field string, from map[string]any, to any) error {
	raw, err := json.Marshal(from)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", field, err)
	}
	err = json.Unmarshal(raw, to)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		name := field + "." + wrong.Field
		return fault.Field(name, "Property '%s' must not be a JSON %s.", name, wrong.Value)
	}
	return err
}

// tree gives the JSON form of a struct whose fields all encode.
func tree(v any) map[string]any {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("encoding configuration: " + err.Error())
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		panic("decoding configuration: " + err.Error())
	}
	return out
}

// checkTree bounds a tree of JSON values and refuses texts that stores do not
// take or that forge lines elsewhere; secrets in PEM have line breaks.
func checkTree(field string, v map[string]any, most int) error {
	if err := checkValue(field, v, maxDepth); err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", field, err)
	}
	if len(raw) > most {
		return fault.Field(field, "Property '%s' is longer than %d bytes.", field, most)
	}
	return nil
}

func checkValue(field string, v any, depth int) error {
	if depth == 0 {
		return fault.Field(field, "Property '%s' is nested deeper than %d levels.", field, maxDepth)
	}
	switch v := v.(type) {
	case string:
		return valid.Prose(field, v)
	case []any:
		for _, one := range v {
			if err := checkValue(field, one, depth-1); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, one := range v {
			if err := valid.Line(field, name); err != nil {
				return err
			}
			if err := checkValue(field, one, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// merge gives a copy of now with the properties of change in it: objects are
// merged, null removes, all else replaces. Neither argument is changed.
func merge(now, change map[string]any) map[string]any {
	out := make(map[string]any, len(now)+len(change))
	for name, v := range now {
		out[name] = v
	}
	for name, v := range change {
		if v == nil {
			delete(out, name)
			continue
		}
		if inner, ok := v.(map[string]any); ok {
			before, _ := out[name].(map[string]any)
			v = merge(before, inner)
		}
		out[name] = v
	}
	return out
}

// mask gives a copy of a tree of secrets that shows its form only.
func mask(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[name] = mask(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = mask(one)
		}
		return out
	case bool, nil:
		return v
	}
	return secret.Redacted
}

// unmask puts the present secrets where a client sends back what mask gave it.
func unmask(v, now any) any {
	switch v := v.(type) {
	case map[string]any:
		before, _ := now.(map[string]any)
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[name] = unmask(one, before[name])
		}
		return out
	case []any:
		before, _ := now.([]any)
		out := make([]any, len(v))
		for i, one := range v {
			if i < len(before) {
				one = unmask(one, before[i])
			}
			out[i] = one
		}
		return out
	case string:
		if v == secret.Redacted && now != nil {
			return now
		}
	}
	return v
}

// open gives the whole configuration of an identity provider, secrets included.
func (s *Service) open(p *IdP) (*configuration, error) {
	raw, err := s.sealer.Open(secret.PurposeIdentityProv, p.ID, p.Sealed)
	if err != nil {
		return nil, fmt.Errorf("opening the secrets of %s: %w", p.ID, err)
	}
	defer clear(raw)
	out := &configuration{properties: p.Properties}
	if err := json.Unmarshal(raw, &out.secrets); err != nil {
		return nil, fmt.Errorf("decoding the secrets of %s: %w", p.ID, err)
	}
	return out, nil
}

// putConfiguration stores a checked configuration in p, with a new key when a
// SAML one has none.
func (s *Service) putConfiguration(p *IdP, c *configuration) error {
	if p.Type == TypeSAML {
		if err := s.addKey(p, c); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(c.secrets)
	if err != nil {
		return fmt.Errorf("encoding secrets: %w", err)
	}
	defer clear(raw)
	p.Properties = c.properties
	if p.Sealed, err = s.sealer.Seal(secret.PurposeIdentityProv, p.ID, raw); err != nil {
		return fmt.Errorf("sealing secrets: %w", err)
	}
	return nil
}

// Secrets gives the secrets of an identity provider as clients may see them:
// masked, but for the certificates of SAML, which are public.
func (s *Service) Secrets(p *IdP) (map[string]any, error) {
	c, err := s.open(p)
	if err != nil {
		return nil, err
	}
	if p.Type != TypeSAML {
		return mask(c.secrets).(map[string]any), nil
	}
	var secrets SAMLSecrets
	if err := into("secrets", c.secrets, &secrets); err != nil {
		return nil, err
	}
	for i := range secrets.SP.Signing {
		secrets.SP.Signing[i].Key = secret.Redacted
	}
	return tree(secrets), nil
}
