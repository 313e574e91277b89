package iam

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var rules = object.Kind[client.Rule]{
	Noun: "rule", Verb: "trusted-profile-rule", Array: "rules", Owner: ofProfile("rules"),
	Key:    func(r client.Rule) (string, string) { return r.ID, r.Name },
	Header: []string{"ID", "Name", "Type", "Realm Name", "CR Type", "Expiration", "Conditions"},
	Row: func(r client.Rule) []string {
		return []string{r.ID, r.Name, r.Type, r.RealmName, r.CRType, strconv.Itoa(r.Expiration), ConditionLines(r.Conditions)}
	},
	Rows: ruleRows,
}

var ruleTypes = []string{"Profile-SAML", "Profile-CR"}

// ruleBody is what POST and PUT of a rule take.
type ruleBody struct {
	Name       string             `json:"name,omitempty"`
	Type       string             `json:"type"`
	RealmName  string             `json:"realm_name,omitempty"`
	CRType     string             `json:"cr_type,omitempty"`
	Expiration int                `json:"expiration,omitempty"`
	Conditions []client.Condition `json:"conditions"`
}

// ruleFlags are those of the verbs that write a rule.
type ruleFlags struct {
	name, kind, realm, crType string
	expiration                int
	conditions                []string
}

func (r *ruleFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&r.name, "name", "", "name of the rule")
	f.StringVar(&r.kind, "type", "", "Profile-SAML for federated users, Profile-CR for compute resources")
	f.StringVar(&r.realm, "realm-name", "", "URL of the identity provider (Profile-SAML)")
	f.StringVar(&r.crType, "cr-type", "", "kind of compute resource: "+strings.Join(crTypes, ", ")+" (Profile-CR)")
	f.StringArrayVar(&r.conditions, "conditions", nil, "claim:C,operator:OP,value:V; may be repeated, all must hold")
	f.IntVar(&r.expiration, "expiration", 0, "how long a session lasts, in seconds (Profile-SAML)")
}

var ruleValues = map[string][]string{"type": ruleTypes, "cr-type": crTypes}

// ParseCondition reads "claim:C,operator:OP,value:V". The value reaches to the
// end, so it may hold commas and colons; it is JSON, or text that is made JSON.
func ParseCondition(text string) (client.Condition, error) {
	wrong := shell.Usagef("--conditions must have the form claim:C,operator:OP,value:V, not %q", text)
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), "claim:")
	if !ok {
		return client.Condition{}, wrong
	}
	claim, rest, ok := strings.Cut(rest, ",operator:")
	if !ok {
		return client.Condition{}, wrong
	}
	operator, value, ok := strings.Cut(rest, ",value:")
	claim, operator = strings.TrimSpace(claim), strings.TrimSpace(operator)
	if !ok || claim == "" || operator == "" {
		return client.Condition{}, wrong
	}
	if !json.Valid([]byte(value)) {
		quoted, err := json.Marshal(value)
		if err != nil {
			return client.Condition{}, wrong
		}
		value = string(quoted)
	}
	return client.Condition{Claim: claim, Operator: strings.ToUpper(operator), Value: value}, nil
}

// apply lays the flags that were given over a rule.
func (r *ruleFlags) apply(c *shell.Call, body *ruleBody) error {
	if c.Given("type") {
		body.Type = r.kind
	}
	if c.Given("realm-name") {
		body.RealmName = r.realm
	}
	if c.Given("cr-type") {
		body.CRType = strings.ToUpper(r.crType)
	}
	if c.Given("expiration") {
		body.Expiration = r.expiration
	}
	if c.Given("conditions") {
		body.Conditions = nil
		for _, text := range r.conditions {
			condition, err := ParseCondition(text)
			if err != nil {
				return err
			}
			body.Conditions = append(body.Conditions, condition)
		}
	}
	return nil
}

func ConditionLines(conditions []client.Condition) string {
	lines := make([]string, len(conditions))
	for i, c := range conditions {
		lines[i] = c.Claim + " " + c.Operator + " " + c.Value
	}
	return strings.Join(lines, "\n")
}

func ruleRows(r client.Rule) [][2]string {
	rows := [][2]string{{"ID", r.ID}, {"Name", r.Name}, {"Type", r.Type}}
	if r.RealmName != "" {
		rows = append(rows, [2]string{"Realm Name", r.RealmName})
	}
	if r.CRType != "" {
		rows = append(rows, [2]string{"CR Type", r.CRType})
	}
	if r.Expiration != 0 {
		rows = append(rows, [2]string{"Expiration", strconv.Itoa(r.Expiration)})
	}
	return append(rows,
		[2]string{"Conditions", ConditionLines(r.Conditions)},
		[2]string{"Version", r.EntityTag},
		[2]string{"Created At", r.CreatedAt},
	)
}

func ruleVerbs() []shell.Verb {
	return []shell.Verb{ruleCreateVerb(), ruleUpdateVerb(), rules.List(shell.Verb{}, nil), rules.Show(), rules.Delete(shell.Verb{}, "", nil)}
}

func ruleCreateVerb() shell.Verb {
	var r ruleFlags
	return shell.Verb{
		Use:   "trusted-profile-rule-create NAME|ID",
		Short: "Let whoever has certain claims assume a trusted profile",
		Example: `  kagiban iam trusted-profile-rule-create backup --name jobs --type Profile-CR --cr-type IKS_SA \
    --conditions claim:namespace,operator:EQUALS,value:jobs`,
		Args:   cobra.ExactArgs(1),
		Output: true,
		Force:  true,
		Flags:  r.flags,
		Values: ruleValues,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			if r.name == "" || r.kind == "" || len(r.conditions) == 0 {
				return shell.Usagef("--name, --type and --conditions are required")
			}
			body := ruleBody{Name: r.name}
			if err := r.apply(c, &body); err != nil {
				return err
			}
			c.Progress("Creating rule %s of trusted profile %s under current account as %s", r.name, c.Args[0], session.User())
			of, err := rules.In(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			made, err := client.Post[client.Rule](ctx, session.API, of.Path, nil, body)
			if err != nil {
				return err
			}
			return object.Created(c, made, "Rule "+r.name+" is created successfully", ruleRows)
		},
	}
}

func ruleUpdateVerb() shell.Verb {
	var r ruleFlags
	return shell.Verb{
		Use:   "trusted-profile-rule-update NAME|ID [RULE_NAME|RULE_ID]",
		Short: "Change a rule of a trusted profile",
		Long: `Change a rule of a trusted profile. Without a second argument, --name says which
rule; with one, --name is the rule's new name. What no flag names stays as it is.`,
		Args:   cobra.RangeArgs(1, 2),
		Output: true,
		Force:  true,
		Flags:  r.flags,
		Values: ruleValues,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			which, newName := r.name, ""
			if len(c.Args) == 2 {
				which, newName = c.Args[1], r.name
			}
			if which == "" {
				return shell.Usagef("name the rule: as the second argument or with --name")
			}
			c.Progress("Updating rule %s of trusted profile %s under current account as %s", which, c.Args[0], session.User())
			of, err := rules.In(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			old, err := of.Find(ctx, session, which)
			if err != nil {
				return err
			}
			body := ruleBody{
				Name: firstOf(newName, old.Value.Name), Type: old.Value.Type, RealmName: old.Value.RealmName,
				CRType: old.Value.CRType, Expiration: old.Value.Expiration, Conditions: old.Value.Conditions,
			}
			if err := r.apply(c, &body); err != nil {
				return err
			}
			changed, err := client.Put[client.Rule](ctx, session.API, of.PathOf(old.Value.ID), old.Tag, body)
			if err != nil {
				return err
			}
			return object.Created(c, changed, "Rule "+firstOf(body.Name, old.Value.ID)+" is updated successfully", ruleRows)
		},
	}
}
