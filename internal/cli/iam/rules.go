package iam

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var rules = kind[client.Rule]{
	noun: "rule", array: "rules",
	key: func(r client.Rule) (string, string) { return r.ID, r.Name },
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

// parseCondition reads "claim:C,operator:OP,value:V". The value reaches to the
// end, so it may hold commas and colons; it is JSON, or text that is made JSON.
func parseCondition(text string) (client.Condition, error) {
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
			condition, err := parseCondition(text)
			if err != nil {
				return err
			}
			body.Conditions = append(body.Conditions, condition)
		}
	}
	return nil
}

func conditionLines(conditions []client.Condition) string {
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
		[2]string{"Conditions", conditionLines(r.Conditions)},
		[2]string{"Version", r.EntityTag},
		[2]string{"Created At", r.CreatedAt},
	)
}

func ruleVerbs() []shell.Verb {
	return []shell.Verb{ruleCreateVerb(), ruleUpdateVerb(), rulesVerb(), ruleVerb(), ruleDeleteVerb()}
}

// findRule gets a profile and one of its rules.
func findRule(ctx context.Context, s *shell.Session, profile, rule string) (client.Profile, client.Object[client.Rule], error) {
	found, err := findProfile(ctx, s, profile)
	if err != nil {
		return client.Profile{}, client.Object[client.Rule]{}, err
	}
	list, err := listAll[client.Rule](ctx, s, profilePath(found.Value, "rules"), rules.array)
	if err != nil {
		return client.Profile{}, client.Object[client.Rule]{}, err
	}
	chosen, err := rules.choose(list, rule)
	return found.Value, chosen, err
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
			profile, err := findProfile(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			made, err := client.Post[client.Rule](ctx, session.API, profilePath(profile.Value, "rules"), nil, body)
			if err != nil {
				return err
			}
			return created(c, made, "Rule "+r.name+" is created successfully", ruleRows)
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
			profile, old, err := findRule(ctx, session, c.Args[0], which)
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
			changed, err := client.Put[client.Rule](ctx, session.API, profilePath(profile, "rules", old.Value.ID), old.Value.EntityTag, body)
			if err != nil {
				return err
			}
			return created(c, changed, "Rule "+firstOf(body.Name, old.Value.ID)+" is updated successfully", ruleRows)
		},
	}
}

func rulesVerb() shell.Verb {
	return shell.Verb{
		Use:    "trusted-profile-rules NAME|ID",
		Short:  "List the rules of a trusted profile",
		Args:   cobra.ExactArgs(1),
		Output: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			c.Progress("Getting rules of trusted profile %s under current account as %s", c.Args[0], session.User())
			profile, err := findProfile(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			list, err := listAll[client.Rule](ctx, session, profilePath(profile.Value, "rules"), rules.array)
			if err != nil {
				return err
			}
			header := []string{"ID", "Name", "Type", "Realm Name", "CR Type", "Expiration", "Conditions"}
			return table(c, "rules", header, list, func(r client.Rule) []string {
				return []string{r.ID, r.Name, r.Type, r.RealmName, r.CRType, strconv.Itoa(r.Expiration), conditionLines(r.Conditions)}
			})
		},
	}
}

func ruleVerb() shell.Verb {
	return shell.Verb{
		Use:    "trusted-profile-rule NAME|ID RULE_NAME|RULE_ID",
		Short:  "Show a rule of a trusted profile",
		Args:   cobra.ExactArgs(2),
		Output: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			c.Progress("Getting rule %s of trusted profile %s under current account as %s", c.Args[1], c.Args[0], session.User())
			_, found, err := findRule(ctx, session, c.Args[0], c.Args[1])
			if err != nil {
				return err
			}
			return details(c, found, ruleRows)
		},
	}
}

func ruleDeleteVerb() shell.Verb {
	return shell.Verb{
		Use:   "trusted-profile-rule-delete NAME|ID RULE_NAME|RULE_ID",
		Short: "Delete a rule of a trusted profile",
		Args:  cobra.ExactArgs(2),
		Force: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			profile, found, err := findRule(ctx, session, c.Args[0], c.Args[1])
			if err != nil {
				return err
			}
			if err := c.Confirm("Really delete rule %s of trusted profile %s?", c.Args[1], profile.Name); err != nil {
				return err
			}
			c.Progress("Deleting rule %s of trusted profile %s under current account as %s", c.Args[1], c.Args[0], session.User())
			if err := session.API.Delete(ctx, profilePath(profile, "rules", found.Value.ID)); err != nil {
				return err
			}
			done(c, "Rule %s is deleted successfully", c.Args[1])
			return nil
		},
	}
}
