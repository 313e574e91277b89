package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kagiban/kagiban/internal/valid"
)

// maxNearest is how many candidates a denial puts into words: more is not read.
const maxNearest = 3

// gateWords explains answers for which no policy was looked at.
func gateWords(s *Snapshot, reason Reason, r *Request) []string {
	switch reason {
	case ReasonOtherAccount:
		return []string{fmt.Sprintf("The resource is in account %q, whose policies were not asked.", r.Resource.Account)}
	case ReasonAccountState:
		return []string{"The account is not active, so nothing in it is allowed."}
	default:
		return []string{Misnamed(s, r.Action, &r.Resource)}
	}
}

// Misnamed says that an action is none that can be asked about on a resource, and
// which name may have been meant; "" when it can be. The answer is of the
// catalogue alone, which everybody may read: not of roles or policies.
func Misnamed(s *Snapshot, action string, r *Resource) string {
	var q query
	q.target.fill(s.catalog, r)
	if q.act(action) {
		return ""
	}
	text := fmt.Sprintf("No role can hold action %q on service %q: the catalogue does not list ", action, r.ServiceName)
	v, known := s.catalog.services[r.ServiceName]
	if r.ServiceName != "" && !known {
		return text + "that service." + meant(r.ServiceName, s.catalog.names)
	}
	if v == nil {
		v = s.catalog.fallback
	}
	var names []string
	for _, a := range v.actions {
		names = append(names, a.ID)
	}
	return text + "it there." + meant(action, names)
}

// meant ends what is said about a name that is not there.
func meant(name string, names []string) string {
	if near := valid.Nearest(name, names); len(near) > 0 {
		return " Did you mean " + strings.Join(near, " or ") + "?"
	}
	return " The roles of a service and their actions are listed under /v2/roles."
}

// partWords names the one of many services for which an answer is no, if somebody
// who has policies asks.
func partWords(asked *Resource, part *Request, e *Explanation) []string {
	on := &part.Resource
	if asked.ServiceName == on.ServiceName && asked.Unlisted == on.Unlisted || len(e.Candidates) == 0 {
		return nil
	}
	if on.Unlisted {
		return []string{"The question is about services that the catalogue does not list, too, and nothing allows it for those."}
	}
	return []string{fmt.Sprintf("The question is about service %q, too, and nothing allows it for that.", on.ServiceName)}
}

// nearest says what would have to change for the answer to be yes.
func (q *query) nearest(e *Explanation) []string {
	var out []string
	switch e.Decision.Reason {
	case ReasonActionControl:
		return []string{fmt.Sprintf("Action control %s forbids %s to everybody in the account, whatever policies say.", e.Decision.ControlID,
			q.r.Action)}
	case ReasonExternalIdentity:
		return []string{fmt.Sprintf("Access exists, but the account limits identities of other accounts and does not list account %q.",
			q.r.Subject.Account)}
	}
	if words := demandWords(e.Decision.Reason); words != nil {
		return words
	}
	if e.Owner {
		out = append(out, "Only a policy gives this action: owning the account does not.")
	}
	if len(e.Candidates) == 0 {
		out = append(out, "The subject has no policy, and neither has any group that it belongs to.")
	}
	for i := range min(len(e.Candidates), maxNearest) {
		out = append(out, e.Candidates[i].words())
	}
	if len(e.Roles) == 0 {
		return append(out, "No role holds "+q.r.Action+" on this service.")
	}
	return append(out, "Roles that hold "+q.r.Action+": "+strings.Join(e.Roles, ", ")+".")
}

// words says what keeps a candidate from allowing.
func (c *Candidate) words() string {
	var why []string
	for _, k := range c.Checks {
		if !k.OK && k.Part != PartRule {
			why = append(why, k.words())
		}
	}
	if rule := c.ruleWords(); len(why) < c.Missing && rule != "" {
		why = append(why, rule)
	}
	name := "Policy " + c.PolicyID
	if c.GroupID != "" {
		name += " of group " + c.GroupID
	}
	return name + " does not allow it: " + strings.Join(why, "; ") + "."
}

// ruleWords lists the failed comparisons of a rule that is false.
func (c *Candidate) ruleWords() string {
	var why []string
	for _, k := range c.Checks {
		if !k.OK && k.Part == PartRule {
			why = append(why, k.words())
		}
	}
	if why == nil {
		return "its rule is false"
	}
	return "its rule is false (" + strings.Join(why, "; ") + ")"
}

func (k *Check) words() string {
	want := strings.Join(k.Want, ", ")
	switch k.Part {
	case PartRole:
		if len(k.Want) == 0 {
			return "it has no role"
		}
		return fmt.Sprintf("none of its roles (%s) holds %s", want, k.Key)
	case PartTag:
		if !k.Present {
			return fmt.Sprintf("the resource has no tags, %s:%s is wanted", k.Key, want)
		}
		return fmt.Sprintf("the resource's tags (%s) lack %s:%s", k.Got, k.Key, want)
	}
	op := k.Operator
	if op == "" {
		op = OpStringEquals
	}
	if op == OpStringExists {
		return fmt.Sprintf("it is about resources where %s %s is true", k.Key, op+" "+Operator(want))
	}
	if !k.Present {
		return fmt.Sprintf("%s is missing, %s %s is wanted", k.Key, op, quoted(k.Want))
	}
	return fmt.Sprintf("%s is %q, %s %s is wanted", k.Key, k.Got, op, quoted(k.Want))
}

func quoted(values []string) string {
	out := slices.Clone(values)
	for i := range out {
		out[i] = fmt.Sprintf("%q", out[i])
	}
	return strings.Join(out, " or ")
}
