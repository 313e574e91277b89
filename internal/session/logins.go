package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kagiban/kagiban/internal/account"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/store"
	"github.com/kagiban/kagiban/internal/store/cache"
)

// loginSpace says which sessions with claims have had tokens of an account, so
// that those who are in it by rule can be listed. The account is the record's;
// its key is session id and account.
const loginSpace = "login"

// noted is the body of such a record.
type noted struct {
	Session string `json:"session"`
	IAMID   string `json:"iam_id"`
}

// noteLogin remembers that a session with claims has tokens of an account.
func (s *Service) noteLogin(ctx context.Context, tx store.Tx, accountID string, se *Session, now time.Time) error {
	if se == nil || len(se.Claims) == 0 || accountID == "" {
		return nil
	}
	body, err := json.Marshal(noted{se.ID, se.IAMID})
	if err != nil {
		return fmt.Errorf("encoding a login: %w", err)
	}
	err = tx.Tokens().Put(ctx, store.Token{Space: loginSpace, Key: se.ID + "/" + accountID, Account: accountID, Created: now,
		Expires: se.Ends, Body: body})
	if err != nil {
		return fmt.Errorf("storing a login: %w", err)
	}
	return nil
}

// loginIndex keeps for Trust which sessions with claims an account has.
type loginIndex struct {
	// writes counts the logins that were noted here.
	writes   atomic.Int64
	accounts *cache.Map[string, *loginsOf]
}

// loginsOf are the sessions of an account by IAM id, as they were read at a
// time and after so many writes.
type loginsOf struct {
	read     time.Time
	writes   int64
	sessions map[string][]string
}

func newLoginIndex(capacity int) *loginIndex {
	return &loginIndex{accounts: cache.NewMap[string, *loginsOf](capacity)}
}

// changed must follow each transaction that noted a login.
func (x *loginIndex) changed(se *Session) {
	if len(se.Claims) > 0 {
		x.writes.Add(1)
	}
}

func (x *loginIndex) clear() { x.accounts.Clear() }

// loginsIn gives the sessions with claims of an account, living or not.
func (s *Service) loginsIn(ctx context.Context, accountID string) (*loginsOf, error) {
	now, writes := s.now(), s.people.writes.Load()
	if hit, ok := s.people.accounts.Get(accountID); ok && hit.writes == writes {
		if age := now.Sub(hit.read); age >= 0 && age < Trust {
			return hit, nil
		}
	}
	records, err := s.db.Tokens().List(ctx, loginSpace, accountID, "")
	if err != nil {
		return nil, fmt.Errorf("listing the logins of an account: %w", err)
	}
	out := &loginsOf{read: now, writes: writes, sessions: map[string][]string{}}
	for _, rec := range records {
		var n noted
		if err := json.Unmarshal(rec.Body, &n); err != nil {
			return nil, fmt.Errorf("decoding a login: %w", err)
		}
		out.sessions[n.IAMID] = append(out.sessions[n.IAMID], n.Session)
	}
	s.people.accounts.Put(accountID, out)
	return out, nil
}

// Logins gives the people of an account who are logged in with claims, as
// subjects of decisions, the newest login first; with an IAM id only that
// person. A login that another node began is seen within Trust.
func (s *Service) Logins(ctx context.Context, accountID, iamID string) ([]policy.Subject, error) {
	in, err := s.loginsIn(ctx, accountID)
	if err != nil {
		return nil, err
	}
	var out []policy.Subject
	for person, sessions := range in.sessions {
		if iamID != "" && person != iamID {
			continue
		}
		for _, sessionID := range sessions {
			sub, err := s.LoginOf(ctx, accountID, sessionID)
			if err != nil {
				return nil, err
			}
			if sub != nil && sub.IAMID == person {
				out = append(out, *sub)
			}
		}
	}
	slices.SortFunc(out, func(a, b policy.Subject) int {
		if c := b.LoginAt.Compare(a.LoginAt); c != 0 {
			return c
		}
		return strings.Compare(a.IAMID, b.IAMID)
	})
	return out, nil
}

// LoginOf gives the person of a living session with the claims of the login, as
// the subject of a token of an account; nil when the session is over or was
// begun without claims.
func (s *Service) LoginOf(ctx context.Context, accountID, sessionID string) (*policy.Subject, error) {
	se, err := s.Get(ctx, sessionID)
	if errors.Is(err, fault.Invalid) || err == nil && len(se.Claims) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &policy.Subject{Kind: policy.KindUser, IAMID: se.IAMID, Account: accountID, Realm: se.Realm, Claims: PolicyClaims(se.Claims),
		LoginAt: se.Created}, nil
}

// PolicyClaims gives what was said of a person in the words of policies.
func PolicyClaims(list []account.Claim) []policy.Claim {
	out := make([]policy.Claim, len(list))
	for i, c := range list {
		out[i] = policy.Claim{Name: c.Name, Values: c.Values, List: c.List}
	}
	return out
}
