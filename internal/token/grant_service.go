package token

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/crn"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/id"
	"github.com/kagiban/kagiban/internal/oauth"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/session"
)

// serviceGrant lets what runs a service act as one of its instances: it shows
// its own token and gets one of the instance (a CRN token), which authorization
// policies give access to. The new token lives no longer than the one shown,
// and there is no refresh token: whoever runs the service asks again.
type serviceGrant struct{}

func (serviceGrant) login(ctx context.Context, s *Service, r *Request, _ *oauth.Client) (*login, error) {
	if r.AccessToken.IsZero() {
		return nil, errMissing("access_token")
	}
	name, err := desired(r.DesiredIAMID)
	if err != nil {
		return nil, err
	}
	b, err := s.bearer(ctx, r.AccessToken.Reveal())
	if err != nil {
		return nil, tokenFault(err)
	}
	if !s.cfg.Now().Before(b.principal.Expires) { // within the leeway
		return nil, errTokenInvalid("The token is expired.")
	}
	if err := s.mayActAs(ctx, &b.principal.Subject, name, r.Address); err != nil {
		return nil, err
	}
	from, err := s.heir(ctx, b)
	if err == nil && from.KeyID != "" {
		err = s.keyStillGood(ctx, from.KeyID) // a token without its key begins nothing new
	}
	if err != nil {
		return nil, err
	}
	st, err := s.serviceIn(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := s.bindAddresses(ctx, st, b.claims.Kind(), b.claims.IAMID, b.claims.Account.BSS); err != nil {
		return nil, err
	}
	l := &login{
		Lineage: session.Lineage{IAMID: st.iamID, Account: st.account, Origin: GrantIAMAuthz, KeyID: from.KeyID, Roots: from.Roots,
			Within: from.Within, Until: b.principal.Expires},
		standing: st, grant: GrantIAMAuthz, action: "iam-identity.service-token.login", once: true, actors: b.claims.Actors,
	}
	if b.claims.Kind() != policy.KindService {
		l.actors = append(slices.Clip(l.actors), Actor{b.claims.IAMID, b.claims.Account.BSS})
	}
	return l, nil
}

// desired reads the identity that a service wants to act as: "crn-" and the
// name of something in an account.
func desired(iamID string) (crn.CRN, error) {
	if iamID == "" {
		return crn.CRN{}, errMissing("desired_iam_id")
	}
	name, ok := strings.CutPrefix(iamID, id.CRNPrefix)
	c, err := crn.Parse(name)
	if !ok || err != nil || c.Service == "" || !id.IsAccount(c.Account()) {
		return c, errValue("desired_iam_id", iamID, "crn-crn:v1:…:a/<account>:…")
	}
	return c, nil
}

// mayActAs refuses whoever may not act as the named service. A service may as a
// part of itself; a service ID or profile needs a permission in the account of
// the installation's operators, because other accounts trust a service and not
// whoever may make service IDs in the account of its instance.
func (s *Service) mayActAs(ctx context.Context, who *policy.Subject, name crn.CRN, from netip.Addr) error {
	yes := false
	var err error
	switch who.Kind {
	case policy.KindService:
		yes = partOf(&who.Source, name)
	case policy.KindServiceID, policy.KindProfile:
		if s.cfg.ActAs != nil {
			yes, err = s.cfg.ActAs(ctx, *who, name.Service, policy.Environment{Now: s.cfg.Now(), SourceIP: from, Client: true})
		}
	case policy.KindAnonymous, policy.KindUser: // services act for services
	}
	if err != nil || yes {
		return err
	}
	return refuse(fault.Forbidden, "BXNIM0501E", "You are not authorized to use this service.",
		"'"+fault.Echo(who.IAMID)+"' may not act as service '"+fault.Echo(name.Service)+"'.")
}

// partOf tells whether a name lies within what a service acts as.
func partOf(whole *policy.Source, part crn.CRN) bool {
	within := func(whole, part string) bool { return whole == "" || whole == part }
	return whole.ServiceName != "" && whole.ServiceName == part.Service && whole.AccountID == part.Account() &&
		within(whole.Region, part.Region) && within(whole.ServiceInstance, part.Instance) &&
		within(whole.ResourceType, part.ResourceType) && within(whole.Resource, part.Resource)
}

// serviceIn gives the standing of a service that acts for itself in the account
// of its name.
func (s *Service) serviceIn(ctx context.Context, name crn.CRN) (*standing, error) {
	st := &standing{kind: policy.KindService, iamID: id.CRNPrefix + name.String(), account: name.Account(),
		stamps: s.state.begin(name.Account()), claims: serviceClaims(name)}
	err := s.bindAccount(ctx, st)
	st.lists = nil // they bind the account's people; the service runs elsewhere
	return st, err
}

// bindAddresses makes the allowed addresses of an identity bind a token too that
// it gets for another one. The standing must not be shared yet.
func (s *Service) bindAddresses(ctx context.Context, st *standing, kind policy.SubjectKind, iamID, accountID string) error {
	var from *standing
	var err error
	objectID, _ := id.OfIAM(iamID)
	switch kind {
	case policy.KindUser:
		from, err = s.userIn(ctx, iamID, accountID)
	case policy.KindServiceID:
		from, err = s.serviceIDIn(ctx, objectID, accountID)
	case policy.KindProfile:
		from, err = s.profileIn(ctx, accountID, objectID, session.Authn{})
	default:
		return nil // a service has no addresses
	}
	if err != nil {
		return err
	}
	st.lists = append(st.lists, from.lists...)
	st.stamps.join(&from.stamps)
	return nil
}

func serviceClaims(name crn.CRN) FixedClaims {
	text := name.String()
	iamID := id.CRNPrefix + text
	return FixedClaims{IAMID: iamID, ID: iamID, Realm: "crn", Identifier: text, Sub: text, SubType: subTypeService,
		Authn: session.Authn{Sub: text, IAMID: iamID, SubType: subTypeService}, service: name.Service}
}

// sourceOf gives what policies see of a service's token.
func sourceOf(c *Claims) policy.Source {
	if c.Kind() != policy.KindService {
		return policy.Source{}
	}
	return policy.SourceOf(c.Identifier)
}

// ActAs decides whether somebody may act as all instances of a service, when and
// from where it asks.
type ActAs func(ctx context.Context, who policy.Subject, service string, env policy.Environment) (bool, error)
