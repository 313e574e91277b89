package iam

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// usage is a verb that tells how much of the account's limits is used.
type usage struct {
	verb, of string
	// whole is the property that asks for the use of the account's limits, each
	// for those of --ids. Either may be empty.
	whole string
	each  []string
}

var usages = []usage{
	{"api-keys-usage", "API keys, by IAM ID of their owner", "", []string{"apikeys_per_identity"}},
	{"trusted-profiles-usage", "trusted profiles, and of what belongs to each", "profiles",
		[]string{"claim_rules_per_profile", "cr_links_per_profile", "cr_rules_per_profile"}},
	{"service-id-groups-usage", "service ID groups, and of the service IDs in each", "serviceid_groups", []string{"serviceids_per_group"}},
	{"templates-usage", "templates, and of the versions of each", "templates", []string{"template_versions_per_template"}},
	{"access-groups-usage", "rules, by access group", "", []string{"claim_rules_per_group"}},
	{"identity-providers-usage", "identity providers", "idps", nil},
	{"cr-links-usage", "links to compute resources", "cr_links", nil},
	{"cr-rules-usage", "rules for compute resources", "cr_rules", nil},
}

func usageVerbs() []shell.Verb {
	verbs := []shell.Verb{limitsVerb()}
	for _, u := range usages {
		verbs = append(verbs, u.run())
	}
	return verbs
}

func limitsPath(account string) string {
	return "/v1" + client.Path("accounts", account, "limits", "identity")
}

// limit is an entry of the server's answer: a limit of the account with its
// count, or a limit of each of several objects with theirs.
type limit struct {
	name  string
	limit int
	count *int
	of    []counted
}

type counted struct {
	id    string
	count int
}

// limits is the answer, in the server's order.
type limits []limit

// UnmarshalJSON reads the properties in their order.
func (l *limits) UnmarshalJSON(raw []byte) error {
	names, values, err := members(raw)
	if err != nil {
		return err
	}
	*l = make(limits, len(names))
	for i, name := range names {
		entry := limit{name: name}
		keys, parts, err := members(values[i])
		if err != nil {
			return err
		}
		for j, key := range keys {
			switch key {
			case "limit":
				err = json.Unmarshal(parts[j], &entry.limit)
			case "count":
				err = json.Unmarshal(parts[j], &entry.count)
			default:
				entry.of, err = readCounts(parts[j])
			}
			if err != nil {
				return err
			}
		}
		(*l)[i] = entry
	}
	return nil
}

// members parts a JSON object, in its order.
func members(raw []byte) (names []string, values []json.RawMessage, err error) {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, nil, shell.Problem("the server's answer holds no object")
	}
	for d.More() {
		var value json.RawMessage
		name, err := d.Token()
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			return nil, nil, err
		}
		text, _ := name.(string) // what stands before a colon is text
		names, values = append(names, text), append(values, value)
	}
	return names, values, nil
}

// readCounts reads a list of objects that hold an id and a count.
func readCounts(raw json.RawMessage) ([]counted, error) {
	var list []map[string]any
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	out := make([]counted, len(list))
	for i, entry := range list {
		for key, value := range entry {
			switch v := value.(type) {
			case float64:
				out[i].count = int(v)
			case string:
				if strings.HasSuffix(key, "id") {
					out[i].id = v
				}
			}
		}
	}
	return out, nil
}

// label is a property for people: "claim_rules_per_profile" is Claim Rules Per
// Profile.
func label(property string) string {
	words := strings.Split(property, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

func limitsVerb() shell.Verb {
	return shell.Verb{
		Use: "identity-limits", Short: "Show the account's limits for identities", Output: true,
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			c.Progress("Getting identity limits of account %s as %s", session.Account(), session.User())
			found, err := client.Get[limits](ctx, session.API, limitsPath(session.Account()))
			if err != nil {
				return err
			}
			return c.Show(found, func() {
				var rows [][]string
				for _, l := range found.Value {
					rows = append(rows, []string{label(l.name), strconv.Itoa(l.limit)})
				}
				c.Table([]string{"Limit", "Maximum"}, rows)
			})
		},
	}
}

func (u usage) run() shell.Verb {
	var ids []string
	v := shell.Verb{Use: u.verb, Short: "Show the use of " + u.of, Output: true}
	if len(u.each) > 0 {
		v.Flags = func(f *pflag.FlagSet) {
			f.StringSliceVar(&ids, "ids", nil, "`IDS` to show the use of, separated by commas")
		}
	}
	v.Do = func(ctx context.Context, c *shell.Call, session *shell.Session) error {
		body := map[string]any{}
		switch {
		case len(ids) > 0:
			for _, property := range u.each {
				body[property] = ids
			}
		case u.whole == "":
			return shell.Usagef("give --ids")
		default:
			body[u.whole] = true
		}
		c.Progress("Getting usage of account %s as %s", session.Account(), session.User())
		found, err := client.Send[limits](ctx, session.API, client.Request{Method: http.MethodPost, Path: limitsPath(session.Account()),
			Body: body})
		if err != nil {
			return err
		}
		return c.Show(found, func() { c.Table([]string{"Limit", "Of", "Used", "Maximum"}, usageRows(found.Value)) })
	}
	return v
}

// usageRows are the limits of which the server told the use.
func usageRows(list limits) [][]string {
	var rows [][]string
	for _, l := range list {
		if l.count != nil {
			rows = append(rows, []string{label(l.name), "account", strconv.Itoa(*l.count), strconv.Itoa(l.limit)})
		}
		for _, one := range l.of {
			rows = append(rows, []string{label(l.name), one.id, strconv.Itoa(one.count), strconv.Itoa(l.limit)})
		}
	}
	return rows
}
