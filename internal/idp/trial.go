package idp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/store"
)

// RunTest tests the configuration of an identity provider that was found and
// records the outcome in the place of an earlier one. It looks at what is
// stored: nothing is asked of the identity provider itself.
func (s *Service) RunTest(ctx context.Context, found *IdP) (test *Test, err error) {
	steps, err := s.steps(found)
	if err != nil {
		return nil, err
	}
	err = s.db.Update(ctx, func(tx store.Tx) error {
		if err := IdPs.Hold(ctx, tx, found); err != nil {
			return err
		}
		test, err = Tests.Get(ctx, tx, found.Account, found.ID)
		first := errors.Is(err, fault.NotFound)
		if first {
			test, err = &Test{Meta: store.Meta{Account: found.Account, ID: found.ID, Parent: found.ID, Name: found.Name}}, nil
		}
		if err != nil {
			return fmt.Errorf("reading test record: %w", err)
		}
		test.Started, test.Tested, test.Steps = s.now().UTC(), found.Tag, steps
		ev := event("test", &found.Meta)
		if first {
			return Tests.Create(ctx, tx, test, ev)
		}
		return Tests.Update(ctx, tx, test, ev)
	})
	if err != nil {
		return nil, err
	}
	return test, nil
}

// LastTest gives the record of the last test, fault.NotFound when there was none.
func (s *Service) LastTest(ctx context.Context, p *IdP) (*Test, error) {
	test, err := Tests.Get(ctx, s.db.Direct(), p.Account, p.ID)
	if errors.Is(err, fault.NotFound) {
		return nil, fault.NoObject("IdPTest", p.ID)
	}
	return test, err
}

func (s *Service) steps(p *IdP) ([]Step, error) {
	out := []Step{{"active", p.Active, "The identity provider is active."}}
	if !p.Active {
		out[0].Text = "The identity provider is not active."
	}
	if p.Type != TypeSAML {
		return out, nil
	}
	properties, secrets, err := s.saml(p)
	if err != nil {
		return nil, err
	}
	complete := properties.IdP.EntityID != "" && properties.IdP.RedirectBindingURL != ""
	metadata := Step{"metadata", complete, "Entity ID and redirect binding URL are set."}
	if !metadata.Passed {
		metadata.Text = "Entity ID or redirect binding URL is missing: import the metadata of the identity provider."
	}
	var theirs, ours []string
	for _, cert := range secrets.IdP.Signing {
		theirs = append(theirs, cert.Value)
	}
	for _, pair := range secrets.SP.Signing {
		ours = append(ours, pair.Certificate)
	}
	return append(out, metadata, certificates("idp_certificate", theirs, s.now()), certificates("sp_certificate", ours, s.now())), nil
}

// certificates is the step that wants one certificate to be valid at a time.
func certificates(name string, texts []string, now time.Time) Step {
	for _, text := range texts {
		cert, err := parseCertificate("", text)
		if err == nil && !now.Before(cert.NotBefore) && now.Before(cert.NotAfter) {
			return Step{name, true, "A certificate is valid until " + cert.NotAfter.UTC().Format(time.RFC3339) + "."}
		}
	}
	if len(texts) == 0 {
		return Step{name, false, "There is no certificate for signing."}
	}
	return Step{name, false, "No certificate for signing is valid now."}
}
