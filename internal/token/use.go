package token

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
)

// check is what was found when the subject of a token was last looked at: it is
// good as long as the stamps hold.
type check struct {
	stamps
	// lists are the allowed addresses of the token's own account, and of the person
	// behind it there.
	lists []allowed
}

// admit refuses a good token where its own account lets no client in.
func (b *bearer) admit(from netip.Addr) *allowed {
	now := b.checked.Load()
	for i := range now.lists {
		if !now.lists[i].list.Allows(from) {
			return &now.lists[i]
		}
	}
	return nil
}

// boundTo gives the addresses that a token may be used from: those that its
// account allows, and those of whoever it was got through.
func (s *Service) boundTo(ctx context.Context, c *FixedClaims) ([]allowed, error) {
	var texts []string
	var err error
	if c.Account.BSS != "" && c.Kind() != policy.KindService { // see serviceIn
		if texts, err = s.addressesOf(ctx, Actor{c.Authn.IAMID, c.Account.BSS}); err != nil {
			return nil, err
		}
	}
	for _, actor := range c.Actors {
		more, err := s.addressesOf(ctx, actor)
		if err != nil {
			return nil, err
		}
		texts = append(texts, more...)
	}
	return restricting(texts...), nil
}

// addressesOf gives the lists of an account, and of a person in it.
func (s *Service) addressesOf(ctx context.Context, who Actor) ([]string, error) {
	set, err := s.settings(ctx, who.Account)
	if err != nil {
		return nil, err
	}
	texts := set.AddressLists()
	if policy.KindOf(who.IAMID) != policy.KindUser {
		return texts, nil
	}
	u, err := get(ctx, s.state, account.Users, who.Account, who.IAMID)
	switch {
	case err == nil:
		texts = append(texts, u.AllowedIPs)
	case !errors.Is(err, fault.NotFound): // a person of elsewhere may have assumed a profile
		return nil, fmt.Errorf("reading the user of a token: %w", err)
	}
	return texts, nil
}

// restricting gives the lists that allow some addresses only.
func restricting(texts ...string) (out []allowed) {
	for _, text := range texts {
		if list := account.ParseAddresses(text); list.Restricts() {
			out = append(out, allowed{list, text})
		}
	}
	return out
}

// loginBehind tells how the holder of a token came to it, as far as the token
// says so: a login by API key names the key, and what does not was made with a
// password unless something else is known.
func loginBehind(c *Claims) policy.Login {
	return policy.Login{IAMID: c.Authn.IAMID, Password: c.KeyID == "" && c.GrantType != GrantPasscode &&
		policy.KindOf(c.Authn.IAMID) == policy.KindUser}
}
