package enterprise

import (
	"encoding/json"
	"maps"
	"net/url"
	"strconv"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

// sort is a kind of template as its API serves it.
type sort struct {
	noun        string // "trusted profile"
	templates   object.Kind[client.Template]
	versions    string // property of the list of versions
	assignments object.Kind[client.Assignment]
	alias       string // other stem of the verbs on assignments, "" for none
	wording     wording
}

// wording is how a family of APIs words the requests about assignments.
type wording struct {
	// query goes with every call on assignments.
	query url.Values
	// assign is the body that creates, version what a version is in bodies.
	assign  func(template string, version any, targetType, target string) any
	version func(int) any
	// wrapped is where the answer to a new assignment is a list.
	wrapped bool
}

func number(n int) any { return n }
func text(n int) any   { return strconv.Itoa(n) }

func flat(template string, version any, targetType, target string) any {
	return map[string]any{"template_id": template, "template_version": version, "target_type": targetType, "target": target}
}

func nested(template string, version any, targetType, target string) any {
	return map[string]any{
		"target":    map[string]any{"type": targetType, "id": target},
		"templates": []map[string]any{{"id": template, "version": version}},
	}
}

var (
	identities = wording{assign: flat, version: number}
	policies   = wording{assign: nested, version: text, wrapped: true, query: url.Values{"version": {"1.0"}}}
	groups     = wording{assign: flat, version: text}
)

// sorts are all kinds of template.
var sorts = []*sort{
	newSort("trusted profile", "trusted-profile", "profile", "ProfileTemplate-", "TemplateAssignment-", client.ByToken, "profile_templates",
		identities),
	// The alias is the official reference's own spelling.
	newSort("account settings", "account-settings", "account_settings", "AccountSettingsTemplate-", "TemplateAssignment-", client.ByToken,
		"account_settings_templates", identities).also("account-settings-assigment"),
	newSort("access policy", "access-policy", "policy", "policyTemplate-", "policyAssignment-", client.ByStart, "versions", policies),
	newSort("role", "role", "role", "roleTemplate-", "roleAssignment-", client.ByStart, "versions", policies),
	newSort("action control", "action-control", "action_control", "actionControlTemplate-", "actionControlAssignment-", client.ByStart,
		"versions", policies),
	newSort("access group", "access-group", "group", "AccessGroupTemplateId-", "AccessGroupAssignmentId-", client.ByOffset,
		"group_template_versions", groups).verbose(),
}

// newSort makes a kind whose paths are /v1/STEM_templates and
// /v1/STEM_assignments.
func newSort(noun, verb, stem, template, assignment string, pages client.Pages, versions string, w wording) *sort {
	return &sort{
		noun: noun, versions: versions, wording: w,
		templates: object.Kind[client.Template]{
			Noun: noun + " template", Verb: verb + "-template", Prefix: template,
			Path: "/v1/" + stem + "_templates", Array: stem + "_templates", Pages: pages,
			Key:    func(t client.Template) (string, string) { return t.ID, t.Name },
			About:  func(t client.Template) string { return t.Description },
			Header: []string{"ID", "Version", "Name", "Committed", "Created At"},
			Row: func(t client.Template) []string {
				return []string{t.ID, t.Version.String(), t.Name, strconv.FormatBool(t.Committed), t.CreatedAt}
			},
		},
		assignments: object.Kind[client.Assignment]{
			Noun: noun + " assignment", Verb: verb + "-assignment", Prefix: assignment,
			Path: "/v1/" + stem + "_assignments", Array: "assignments", Pages: pages, One: w.query, Scope: w.scope,
			Key:    func(a client.Assignment) (string, string) { return a.ID, "" },
			Header: assignmentHeader, Row: assignmentRow, Rows: assignmentRows,
		},
	}
}

func (k *sort) also(alias string) *sort {
	k.alias = alias
	return k
}

// verbose asks for the outcomes of assignments, which some APIs give only then.
func (k *sort) verbose() *sort {
	k.assignments.One = url.Values{"verbose": {"true"}}
	return k
}

var assignmentHeader = []string{"ID", "Template", "Version", "Target Type", "Target", "Status"}

func assignmentRow(a client.Assignment) []string {
	return []string{a.ID, a.TemplateID, a.TemplateVersion, a.TargetType, a.Target, a.Status}
}

func assignmentRows(a client.Assignment) [][2]string {
	rows := [][2]string{
		{"ID", a.ID}, {"Template", a.TemplateID}, {"Version", a.TemplateVersion}, {"Target Type", a.TargetType}, {"Target", a.Target},
		{"Status", a.Status}, {"Created At", a.CreatedAt}, {"Last Updated", a.LastModifiedAt},
	}
	for _, o := range a.Outcomes {
		text := o.Status + " " + o.Made
		if o.Error != "" {
			text = o.Status + ": " + o.Error
		}
		rows = append(rows, [2]string{"Account " + o.Account, text})
	}
	return rows
}

// scope narrows lists of assignments to the session's account.
func (w *wording) scope(s *shell.Session) url.Values {
	query := object.OfAccount(s)
	maps.Copy(query, w.query)
	return query
}

// answer reads what a new assignment is answered with.
func (w *wording) answer(raw json.RawMessage) (client.Object[client.Assignment], error) {
	var one client.Object[client.Assignment]
	if !w.wrapped {
		return one, json.Unmarshal(raw, &one)
	}
	var list struct {
		Assignments []client.Object[client.Assignment] `json:"assignments"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return one, err
	}
	if len(list.Assignments) > 0 {
		one = list.Assignments[0]
	}
	return one, nil
}
