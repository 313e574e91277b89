package access

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

func decisionVerbs() []shell.Verb {
	return []shell.Verb{explainVerb(), whoCanVerb(), whatIfVerb()}
}

// question is one question of the decision API.
type question struct {
	Subject  *attributes `json:"subject,omitempty"`
	Action   string      `json:"action"`
	Resource struct {
		CRN        string            `json:"crn"`
		Attributes map[string]string `json:"attributes,omitempty"`
	} `json:"resource"`
	Environment *attributes `json:"environment,omitempty"`
	At          string      `json:"at,omitempty"`
}

type attributes struct {
	Attributes map[string]string `json:"attributes"`
}

// questionFlags are the flags that questions share.
type questionFlags struct {
	action, resource, at string
	attributes           []string
}

func (q *questionFlags) define(f *pflag.FlagSet) {
	f.StringVar(&q.action, "action", "", "what is to be done: kms.secrets.read")
	f.StringVar(&q.resource, "resource", "", "CRN of what it is to be done to; with empty segments at its end, all of a service or instance")
	f.StringArrayVar(&q.attributes, "attribute", nil, "further attribute of the resource, `NAME=VALUE`; may be repeated")
	f.StringVar(&q.at, "at", "", "time to decide for, instead of now: 2026-05-04T12:00:00Z")
}

func (q *questionFlags) question() (*question, error) {
	if q.action == "" || q.resource == "" {
		return nil, shell.Usagef("--action and --resource are needed")
	}
	out := &question{Action: q.action, At: q.at}
	out.Resource.CRN = q.resource
	for _, pair := range q.attributes {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, shell.Usagef("--attribute must be NAME=VALUE, not %q", pair)
		}
		if out.Resource.Attributes == nil {
			out.Resource.Attributes = map[string]string{}
		}
		out.Resource.Attributes[name] = value
	}
	return out, nil
}

// explanation is the answer to a question about one subject.
type explanation struct {
	Permitted bool   `json:"permitted"`
	Reason    string `json:"reason"`
	Name      string `json:"name"`
	Owner     bool   `json:"owner"`
	PolicyID  string `json:"policy_id"`
	RoleID    string `json:"role_id"`
	GroupID   string `json:"access_group_id"`
	ControlID string `json:"action_control_id"`
	MaxAge    int64  `json:"max_age_seconds"`
	Groups    []struct {
		ID, Name, How string
		Until         string
	} `json:"groups"`
	Candidates []struct {
		PolicyID string `json:"policy_id"`
		GroupID  string `json:"access_group_id"`
		Allows   bool   `json:"allows"`
		Checks   []struct {
			Part     string   `json:"part"`
			Key      string   `json:"key"`
			Operator string   `json:"operator"`
			Want     []string `json:"want"`
			Got      string   `json:"got"`
			Present  bool     `json:"present"`
			OK       bool     `json:"ok"`
		} `json:"checks"`
	} `json:"candidates"`
	Nearest []string `json:"nearest"`
}

// reasons put the words of the API into sentences.
var reasons = map[string]string{
	"policy": "a policy allows it", "owner": "the subject owns the account", "self": "the object is the subject's own",
	"no_policy": "no policy of the subject allows it", "unknown_action": "no role on this service has the action",
	"action_control": "an action control of the account forbids it", "external_identity": "the account limits identities of other accounts",
	"account_state": "the account is not active", "inactive": "the identity is gone or not active",
	"member": "every member of the account may", "address": "the account permits no access from that address",
	"factor":  "the account demands a stronger login than the one behind the token",
	"unbound": "the token is bound to no account",
}

func explainVerb() shell.Verb {
	var subject string
	var flags questionFlags
	return shell.Verb{
		Use:   "explain --action ACTION --resource CRN [--subject IAM_ID|ID|NAME|me]",
		Short: "Show why somebody may do something, or why not",
		Long: "Asks for a decision and shows all that led to it: groups, policies, and for each policy what fits and what does not.\n" +
			"Without --subject it is about you. About others you must be allowed to read the policies of the resource's service.",
		Example: "kagiban iam explain --subject ServiceId-1234 --action kms.secrets.read --resource crn:v1:bluemix:public:kms:eu-de:a/ACCOUNT:INSTANCE::",
		Output:  true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&subject, "subject", "me", "IAM ID of the one who asks, or name or ID of a service ID or trusted profile")
			flags.define(f)
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			q, err := flags.question()
			if err != nil {
				return err
			}
			who, err := subjectID(ctx, session, subject)
			if err != nil {
				return err
			}
			q.Subject = &attributes{map[string]string{"id": who}}
			c.Progress("Explaining whether %s may do %s as %s", who, q.Action, session.User())
			got, err := client.Post[explanation](ctx, session.API, "/v2/authz/explain", nil, q)
			if err != nil {
				return err
			}
			if who != session.Claims.IAMID && got.Value.unknown() {
				return nobody(session, subject)
			}
			return c.Show(got, func() { explain(c, who, q, &got.Value) })
		},
	}
}

func explain(c *shell.Call, who string, q *question, e *explanation) {
	verdict := "may"
	if !e.Permitted {
		verdict = "may not"
	}
	c.Say("%s %s do %s: %s.", who, verdict, q.Action, reasons[e.Reason])
	rows := [][2]string{}
	for _, row := range [][2]string{{"Policy", e.PolicyID}, {"Role", e.RoleID}, {"Access Group", e.GroupID}, {"Action Control", e.ControlID}} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	c.Details(append(rows, [2]string{"Holds For", strconv.FormatInt(e.MaxAge, 10) + " s"}))
	if len(e.Groups) > 0 {
		c.Blank()
		table := make([][]string, len(e.Groups))
		for i, g := range e.Groups {
			table[i] = []string{g.ID, g.Name, g.How, g.Until}
		}
		c.Table([]string{"Access Group", "Name", "Membership", "Until"}, table)
	}
	if len(e.Candidates) > 0 {
		c.Blank()
		c.Table([]string{"Policy", "Through", "Allows", "What Does Not Fit"}, candidateRows(e))
	}
	if len(e.Nearest) > 0 {
		c.Blank()
		c.Say("Nearest to an allow:")
		for _, line := range e.Nearest {
			c.Say("- %s", line)
		}
	}
}

// mostCandidates is how many policies are shown; JSON has all.
const mostCandidates = 20

func candidateRows(e *explanation) [][]string {
	var rows [][]string
	for i, p := range e.Candidates {
		if i == mostCandidates {
			rows = append(rows, []string{fmt.Sprintf("and %d more", len(e.Candidates)-i)})
			break
		}
		var misfits []string
		for _, k := range p.Checks {
			if !k.OK {
				misfits = append(misfits, misfit(k.Part, k.Key, k.Operator, k.Want, k.Got, k.Present))
			}
		}
		rows = append(rows, []string{p.PolicyID, p.GroupID, strconv.FormatBool(p.Allows), strings.Join(misfits, "\n")})
	}
	return rows
}

func misfit(part, key, operator string, want []string, got string, present bool) string {
	if part == "role" {
		return "no role with " + key
	}
	if !present {
		got = "nothing"
	}
	return fmt.Sprintf("%s %s %s %s, is %s", part, key, operator, strings.Join(want, ", "), got)
}

// grantee is somebody who has access.
type grantee struct {
	Kind     string            `json:"kind"`
	IAMID    string            `json:"iam_id"`
	Name     string            `json:"name"`
	GroupID  string            `json:"access_group_id"`
	RuleID   string            `json:"rule_id"`
	Source   []policyAttribute `json:"source"`
	Policies []string          `json:"policies"`
}

type policyAttribute struct {
	Key      string `json:"key"`
	Operator string `json:"operator"`
	Value    any    `json:"value"`
}

// who names a grantee.
func (g *grantee) who() string {
	switch g.Kind {
	case "dynamic":
		return "logins that rule " + g.RuleID + " admits to " + g.GroupID
	case "everyone":
		return "everybody, with or without a token"
	case "member":
		return "every member of the account"
	case "service":
		var parts []string
		for _, a := range g.Source {
			parts = append(parts, fmt.Sprintf("%s=%v", a.Key, a.Value))
		}
		return "services with " + strings.Join(parts, " ")
	}
	return g.IAMID
}

func whoCanVerb() shell.Verb {
	var flags questionFlags
	return shell.Verb{
		Use:    "who-can --action ACTION --resource CRN",
		Short:  "List everybody who may do something",
		Output: true,
		Flags:  flags.define,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			q, err := flags.question()
			if err != nil {
				return err
			}
			c.Progress("Finding who may do %s as %s", q.Action, session.User())
			got, err := client.Post[struct {
				Grantees []grantee `json:"grantees"`
			}](ctx, session.API, "/v2/authz/who_can", nil, q)
			if err != nil {
				return err
			}
			return c.Show(got, func() {
				if len(got.Value.Grantees) == 0 {
					c.Say("Nobody may do that.")
					return
				}
				var rows [][]string
				for _, g := range got.Value.Grantees {
					rows = append(rows, []string{g.who(), g.Name, g.Kind, strings.Join(g.Policies, "\n")})
				}
				c.Table([]string{"Who", "Name", "Kind", "By Policy"}, rows)
			})
		},
	}
}

// shift is the difference that a change would make for somebody.
type shift struct {
	Grantee    grantee           `json:"grantee"`
	Resource   []policyAttribute `json:"resource"`
	Gained     []string          `json:"gained"`
	Lost       []string          `json:"lost"`
	GainedWhen []string          `json:"gained_when"`
	LostWhen   []string          `json:"lost_when"`
}

func whatIfVerb() shell.Verb {
	var file, policyID string
	return shell.Verb{
		Use:   "what-if (--file POLICY.json [--policy ID] | --policy ID)",
		Short: "Show whose access would change, before a policy is stored",
		Long: "With --file alone it shows what the new policy would change, with --policy too, what replacing that policy by it would change,\n" +
			"and with --policy alone, what deleting that policy would change. Nothing is stored. The file holds a policy in either schema of the API.",
		Output: true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&file, "file", "", "file with the policy, - for standard input")
			f.StringVar(&policyID, "policy", "", "ID of the policy that would be replaced or deleted")
		},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			if file == "" && policyID == "" {
				return shell.Usagef("--file or --policy is needed")
			}
			body := map[string]any{}
			if policyID != "" {
				body["policy_id"] = policyID
			}
			if file != "" {
				doc, err := readJSON(c, file)
				if err != nil {
					return err
				}
				body["policy"] = doc
			}
			c.Progress("Comparing access before and after the change as %s", session.User())
			got, err := client.Post[struct {
				Changes []shift `json:"changes"`
			}](ctx, session.API, "/v2/authz/what_if", nil, body)
			if err != nil {
				return err
			}
			return c.Show(got, func() {
				if len(got.Value.Changes) == 0 {
					c.Say("Nobody's access would change.")
				}
				for _, s := range got.Value.Changes {
					c.Details(shiftRows(s))
				}
			})
		},
	}
}

func shiftRows(s shift) [][2]string {
	var on []string
	for _, a := range s.Resource {
		on = append(on, fmt.Sprintf("%s %s %v", a.Key, a.Operator, a.Value))
	}
	who := s.Grantee.who()
	if s.Grantee.Name != "" {
		who += " (" + s.Grantee.Name + ")"
	}
	rows := [][2]string{{"Who", who}, {"On", strings.Join(on, "\n")}}
	for _, part := range []struct {
		title string
		list  []string
	}{{"Gains", s.Gained}, {"Loses", s.Lost}, {"Gains By Rule", s.GainedWhen}, {"Loses By Rule", s.LostWhen}} {
		if len(part.list) > 0 {
			rows = append(rows, [2]string{part.title, strings.Join(part.list, "\n")})
		}
	}
	return rows
}

// maxFile bounds a policy's file; the server takes no larger body.
const maxFile = 256 << 10

// readJSON reads a file that holds one JSON value; "-" is standard input.
func readJSON(c *shell.Call, name string) (json.RawMessage, error) {
	var raw []byte
	var err error
	if name == "-" {
		raw, err = io.ReadAll(io.LimitReader(c.Terminal.In, maxFile))
	} else {
		raw, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, shell.Problemf("%s cannot be read: %v", name, err)
	}
	if !json.Valid(raw) {
		return nil, shell.Problemf("%s does not hold JSON.", name)
	}
	return raw, nil
}
