package access

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
)

// Logins knows who is logged in with claims, which dynamic rules judge.
type Logins interface {
	// Logins gives the living logins of an account, the newest first; with an
	// IAM id only that person's.
	Logins(ctx context.Context, account, iamID string) ([]policy.Subject, error)
	// LoginOf gives the login of a session as the subject of a token of an
	// account, nil when it is over or was begun without claims.
	LoginOf(ctx context.Context, account, session string) (*policy.Subject, error)
}

// dynamicMember is a person whom a rule makes a member of a group, since the
// login and until a time: the latest that any rule and login of the person give.
type dynamicMember struct {
	IAMID        string
	Since, Until time.Time
}

// dynamicMembers gives the people whom the rules of a group admit now, by IAM
// id; with an IAM id only that person.
func (s *Service) dynamicMembers(ctx context.Context, g *Group, iamID string) ([]dynamicMember, error) {
	admitted, err := s.admitted(ctx, g.Account, iamID)
	if err != nil {
		return nil, err
	}
	var out []dynamicMember
	for _, m := range admitted {
		if m.GroupID != g.ID {
			continue
		}
		at := slices.IndexFunc(out, func(d dynamicMember) bool { return d.IAMID == m.IAMID })
		if at < 0 {
			out = append(out, m.dynamicMember)
		} else if m.Until.After(out[at].Until) {
			out[at] = m.dynamicMember
		}
	}
	slices.SortFunc(out, func(a, b dynamicMember) int { return strings.Compare(a.IAMID, b.IAMID) })
	return out, nil
}

// admission is a membership of somebody who is logged in.
type admission struct {
	dynamicMember
	GroupID string
}

// admitted gives the memberships by rule in an account, of all or of one person.
func (s *Service) admitted(ctx context.Context, accountID, iamID string) ([]admission, error) {
	if s.logins == nil || strings.HasPrefix(iamID, "iam-") {
		return nil, nil
	}
	snapshot, err := s.authority.Snapshot(ctx, accountID)
	if err != nil || !snapshot.HasRules() {
		return nil, fault.Ignore(fault.NotFound, err)
	}
	people, err := s.logins.Logins(ctx, accountID, iamID)
	if err != nil {
		return nil, err
	}
	var out []admission
	for i := range people {
		for _, m := range snapshot.Admitted(&people[i], s.now()) {
			out = append(out, admission{dynamicMember{people[i].IAMID, people[i].LoginAt, m.Until}, m.GroupID})
		}
	}
	return out, nil
}

// Recall completes the subject of a question with what was said of the person
// at the login: at that of a session when one is named, otherwise at the newest
// one in the account that makes it a member of a group. It asks nothing when the
// account has no dynamic rules.
func (s *Service) Recall(ctx context.Context, snapshot *policy.Snapshot, sub *policy.Subject, session string, now time.Time) error {
	if s.logins == nil || sub.Kind != policy.KindUser || sub.Account != snapshot.Account() || len(sub.Claims) > 0 || !snapshot.HasRules() {
		return nil
	}
	if session != "" {
		found, err := s.logins.LoginOf(ctx, sub.Account, session)
		if err == nil && found != nil && found.IAMID == sub.IAMID {
			*sub = *found
		}
		return err
	}
	logins, err := s.logins.Logins(ctx, sub.Account, sub.IAMID)
	for i := range logins {
		if len(snapshot.Admitted(&logins[i], now)) > 0 {
			*sub = logins[i]
			break
		}
	}
	return err
}
