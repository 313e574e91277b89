package template_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kagiban/kagiban/internal/api/apitest"
	"github.com/kagiban/kagiban/internal/api/iamaccessgroupsv2"
	"github.com/kagiban/kagiban/internal/api/iamidentityv1"
	"github.com/kagiban/kagiban/internal/api/iampolicymanagementv1"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/template"
	"github.com/kagiban/kagiban/internal/template/kinds"
)

// parts are the properties of all kinds' payloads, by the kinds that know them.
var parts = map[string][]string{"profile": {kinds.Profile}, "action_controls": {kinds.Profile}, "account_settings": {kinds.Settings},
	"policy": {kinds.Policy}, "role": {kinds.Role}, "action_control": {kinds.Control}, "group": {kinds.Group}, "anything": nil}

func TestATemplateHoldsOnlyWhatItsKindKnows(t *testing.T) {
	f := plant(t)
	for _, kind := range allKinds {
		for part, knowing := range parts {
			doc := wholeDoc(kind)
			if _, own := doc[part]; own || slices.Contains(knowing, kind) {
				continue
			}
			for _, value := range []any{"x", 1, object{"mfa": "NONE"}} {
				doc[part] = value
				d := draft("n", doc)
				if _, err := f.ts.CheckNew(kind, d); fault.Of(err).Field != part {
					t.Errorf("%s with %s: %v", kind, part, err)
				}
			}
		}
		d := draft("n", wholeDoc(kind))
		d.References = []template.Reference{{Kind: kinds.Policy, ID: "t", Version: 1}}
		if _, err := f.ts.CheckNew(kind, d); (err == nil) != (kind == kinds.Profile || kind == kinds.Group) {
			t.Errorf("%s with a reference: %v", kind, err)
		}
	}
}

// families serves all templates there are.
func families(t *testing.T) *apitest.Server {
	f := &forest{ctx: t.Context(), root: apitest.Account}
	f.Server = apitest.New(t, func(s *apitest.Server) []httpapi.Operation {
		return slices.Concat(iampolicymanagementv1.New(s.Access, s.Templates, s.Pages).Operations(),
			iamaccessgroupsv2.New(s.Access, s.Templates, s.Pages).Operations(),
			iamidentityv1.New(iamidentityv1.Config{Identities: s.Identity, Accounts: s.Accounts, Access: s.Access, Templates: s.Templates,
				Pages: s.Pages}).Operations())
	}, func(o *apitest.Options) {
		o.Templates = func(c *template.Config) { c.Limits = template.Limits{Templates: 10000, Versions: 10000} }
	})
	f.ts = f.Templates
	f.enterprise(f.root)
	f.Grant(apitest.Owner, "TemplateAdministrator TemplateAssignmentAdministrator", "service_group_id=IAM")
	return f.Server
}

// spoilt puts something else in some places of a value.
func spoilt(r *rand.Rand, v any, often float64) any {
	if r.Float64() < often {
		pool := []any{nil, "x", "", 1, -1.5, true, []any{}, []any{1}, []any{nil}, object{}, object{"name": 1}, "\x00", "${account_id}", 1e300,
			object{"rules": "x"}, object{"identities": object{"add": 1}}, []any{object{"id": "x", "version": "1"}}}
		return pool[r.IntN(len(pool))]
	}
	switch x := v.(type) {
	case map[string]any:
		out := object{}
		for _, key := range sortedKeys(x) {
			out[key] = spoilt(r, x[key], often)
		}
		return out
	case []any:
		out := []any{}
		for _, item := range x {
			out = append(out, spoilt(r, item, often))
		}
		return out
	}
	return v
}

func sortedKeys(x object) (keys []string) {
	for key := range x {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Whatever a client sends, it is refused, or what came of it can be read by all
// who may: one template that cannot would keep them from all others.
func TestWhatIsStoredOfATemplateCanBeRead(t *testing.T) {
	s, r := families(t), rand.New(rand.NewPCG(8, 1))
	seed := object{}
	for _, kind := range allKinds {
		for name, part := range wholeDoc(kind) {
			seed[name] = part
		}
	}
	seed["action_controls"] = object{"identities": object{"add": true, "remove": false}, "rules": object{"add": true}}
	seed["policy_template_references"] = []object{}
	raw, _ := json.Marshal(seed) //nolint:errchkjson // a test's own value
	if err := json.Unmarshal(raw, &seed); err != nil {
		t.Fatal(err)
	}
	stored, refused := 0, 0
	for _, kind := range allKinds {
		noun := map[string]string{kinds.Group: "group"}[kind]
		if noun == "" {
			noun = kind
		}
		path := "/v1/" + noun + "_templates"
		send := func(method, path string, whole float64) *apitest.Answer {
			body := object{"name": fmt.Sprint("template ", stored), "account_id": apitest.Account}
			for _, key := range sortedKeys(seed) {
				if slices.Contains(parts[key], kind) || r.Float64() > whole {
					body[key] = spoilt(r, seed[key], (1-whole)*r.Float64())
				}
			}
			a := s.Do(apitest.Owner, method, path, body, "If-Match: *")
			if a.Status >= 500 {
				t.Fatalf("%s %s %v: %d %s", method, path, body, a.Status, a.Body)
			}
			if a.Status < 300 {
				stored++
			} else {
				refused++
			}
			return a
		}
		first := send("POST", path, 1).Want(201).Text("id")
		for i := range 250 {
			whole := 0.8 + 0.2*r.Float64()
			var a *apitest.Answer
			switch i % 3 {
			case 0:
				a = send("POST", path, whole)
			case 1:
				a = send("POST", path+"/"+first+"/versions", whole)
			default:
				a = send("PUT", path+"/"+first+"/versions/1", whole)
			}
			if a.Status >= 300 {
				continue
			}
			one := path + "/" + a.Text("id")
			for _, read := range []string{one, one + "/versions/" + fmt.Sprint(a.At("version")), one + "/versions?limit=100",
				path + "?verbose=true&limit=100&account_id=" + apitest.Account} {
				s.Do(apitest.Owner, "GET", read, nil).Want(200)
			}
		}
	}
	if stored < 100 || refused < 100 {
		t.Errorf("%d bodies were stored and %d refused", stored, refused)
	}
}
