package authz

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"github.com/kagiban/kagiban/internal/access"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/lists"
	"github.com/kagiban/kagiban/internal/policy"
)

// explainIn is one question, in the form of POST /v2/authz.
type explainIn struct{ Body json.RawMessage }

// Explanation shows how a decision came about.
type Explanation struct {
	Permitted bool   `json:"permitted"`
	Reason    string `json:"reason"`
	PolicyID  string `json:"policy_id,omitempty"`
	RoleID    string `json:"role_id,omitempty"`
	GroupID   string `json:"access_group_id,omitempty"`
	ControlID string `json:"action_control_id,omitempty"`
	// Name is what the account calls the subject: absent for whom it does not know.
	Name string `json:"name,omitempty"`
	// Seq is the place in the account's event log that the answer is of.
	Seq int64 `json:"seq"`
	// MaxAge is how long the answer may be kept, in seconds.
	MaxAge int64 `json:"max_age_seconds"`
	// Owner tells that the subject owns the account.
	Owner      bool        `json:"owner"`
	Inactive   bool        `json:"inactive,omitempty"` // the identity is gone or switched off
	Groups     []Group     `json:"groups"`
	Candidates []Candidate `json:"candidates"`
	Controls   []Control   `json:"controls"`
	// Roles hold the action on the resource's service.
	Roles []string `json:"roles"`
	// Nearest says, for a denial, what is nearest to an allow.
	Nearest []string `json:"nearest"`
}

// Group is an access group that the subject belongs to.
type Group struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	How    string `json:"how"` // static, dynamic or public
	RuleID string `json:"rule_id,omitempty"`
	Until  string `json:"until,omitempty"`
}

// Candidate is one policy of the subject with all that it asks for.
type Candidate struct {
	PolicyID string  `json:"policy_id"`
	GroupID  string  `json:"access_group_id,omitempty"`
	Allows   bool    `json:"allows"`
	Missing  int     `json:"missing"`
	Checks   []Check `json:"checks"`
}

// Check is one thing that a policy asks for.
type Check struct {
	Part     string   `json:"part"` // role, source, resource, tag or rule
	Key      string   `json:"key"`
	Operator string   `json:"operator,omitempty"`
	Want     []string `json:"want"`
	Got      string   `json:"got"`
	Present  bool     `json:"present"`
	OK       bool     `json:"ok"`
}

// Control is an action control that forbids the action.
type Control struct {
	ID      string   `json:"id"`
	Service string   `json:"service_name"`
	Actions []string `json:"actions"`
}

// read reads the question of a body. at, when sent, is the time to decide for.
func (in *explainIn) read(now time.Time) (*question, error) {
	r := reader{scanner: scanner{text: string(in.Body)}, now: now}
	if at, err := sentTime(in.Body); err != nil {
		return nil, err
	} else if !at.IsZero() {
		r.now = at
	}
	var q question
	if err := r.question(&q); err != nil {
		return nil, syntax(err)
	}
	return &q, nil
}

// sentTime gives the property "at", zero when there is none.
func sentTime(body []byte) (at time.Time, err error) {
	var sent struct {
		At string `json:"at"`
	}
	if json.Unmarshal(body, &sent) != nil || sent.At == "" {
		return at, nil
	}
	if at, err = time.Parse(time.RFC3339, sent.At); err != nil {
		return at, fault.Field("at", "Property 'at' must be a time such as 2026-05-04T12:00:00Z.")
	}
	return at, nil
}

// explain tells those who may read the policies in question all that led to the
// answer, and the subject itself when the resource is of its token's account.
func (a *API) explain(ctx context.Context, c *httpapi.Call, in *explainIn, _ httpapi.None) (*Explanation, error) {
	q, err := in.read(c.Now())
	if err != nil {
		return nil, err
	}
	if bad := q.wrong(); bad != "" {
		return nil, errBody("%s", bad)
	}
	// A realm opens dynamic groups: only the one that the caller logged in with.
	self := asksAboutItself(c, q) && (q.Subject.Realm == "" || q.Subject.Realm == c.Caller.Realm) && c.Caller.Account == q.Resource.Account
	yes := self
	if self {
		q.Subject.Login = c.Caller.Login
	} else {
		if yes, err = a.mayRead(ctx, c, &q.Resource); err != nil {
			return nil, err
		}
	}
	if !yes {
		return nil, &fault.Error{Kind: fault.Forbidden, Code: "not_authorized", Message: notYours}
	}
	s, err := a.authority.Snapshot(ctx, q.Resource.Account)
	if err != nil {
		return nil, err
	}
	active, err := a.active(ctx, s, q)
	if err != nil {
		return nil, err
	}
	out := explanation(s, q, active && !q.expired)
	// Only what is of this account is looked at: who is in others stays untold.
	who, err := a.access.Describe(ctx, q.Resource.Account, q.Subject.IAMID)
	out.Name = cmp.Or(who.Name, who.Email)
	return out, err
}

func explanation(s *policy.Snapshot, q *question, active bool) *Explanation {
	e := policy.Explain(s, &q.Request)
	d := e.Decision
	out := &Explanation{
		Permitted: d.Allowed && active, Reason: d.Reason.String(),
		PolicyID: d.PolicyID, RoleID: d.RoleID, GroupID: d.GroupID, ControlID: d.ControlID,
		Seq: d.Seq, MaxAge: int64(d.MaxAge(q.Environment.Now) / time.Second), Owner: e.Owner, Inactive: !active,
		Groups: []Group{}, Candidates: []Candidate{},
		Controls: lists.Map(e.Controls, func(c policy.ActionControl) Control { return Control{c.ID, c.Service, c.Actions} }),
		Roles:    append([]string{}, e.Roles...), Nearest: append([]string{}, e.Nearest...),
	}
	if !active {
		out.Reason = "inactive"
		out.Nearest = []string{"The identity is deleted or not active, or its token has expired: it has no access whatever the policies say."}
	}
	for _, g := range e.Groups {
		w := Group{ID: g.ID, Name: g.Name, How: g.How, RuleID: g.RuleID}
		if g.ID == policy.PublicAccessGroupID {
			w.Name = access.PublicGroupName
		}
		if !g.Until.IsZero() {
			w.Until = httpapi.Millis(g.Until)
		}
		out.Groups = append(out.Groups, w)
	}
	for _, p := range e.Candidates {
		w := Candidate{PolicyID: p.PolicyID, GroupID: p.GroupID, Allows: p.Allows, Missing: p.Missing, Checks: []Check{}}
		for _, k := range p.Checks {
			operator := k.Operator
			if operator == "" && k.Part != policy.PartRole {
				operator = policy.OpStringEquals // v1 policies may leave it out
			}
			w.Checks = append(w.Checks, Check{k.Part, k.Key, string(operator), append([]string{}, k.Want...), k.Got, k.Present, k.OK})
		}
		out.Candidates = append(out.Candidates, w)
	}
	return out
}
