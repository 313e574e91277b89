package client

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Template is one version of an enterprise template of any kind.
type Template struct {
	ID             string      `json:"id"`
	Version        json.Number `json:"version"`
	Name           string      `json:"name"`
	Description    string      `json:"description"`
	Committed      bool        `json:"committed"`
	CreatedAt      string      `json:"created_at"`
	LastModifiedAt string      `json:"last_modified_at"`
}

// Assignment lays a template version on accounts. The families word it in
// several ways; here they look alike.
type Assignment struct {
	ID              string
	TemplateID      string
	TemplateVersion string
	TargetType      string // Account, AccountGroup or Enterprise
	Target          string
	Status          string
	CreatedAt       string
	LastModifiedAt  string
	// Progress is given by Kagiban, for some kinds, while it works on one.
	Progress *Progress
	// Outcomes are in the order of the server, one an account; lists of some
	// families leave them out.
	Outcomes []Outcome
}

// Progress counts the accounts of an assignment.
type Progress struct {
	Settled  int `json:"settled"`
	Accounts int `json:"accounts"`
}

// Outcome is what an assignment came to in one account.
type Outcome struct {
	Account string
	Status  string
	Made    string // id of the object in the account, "" if there is none
	Error   string // "" if there was none
}

// Running tells whether the server still works on the assignment.
func (a *Assignment) Running() bool { return a.Status == "accepted" || a.Status == "in_progress" }

// wireTarget is a target as text beside target_type, or with its type inside.
type wireTarget struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// UnmarshalJSON takes both forms.
func (t *wireTarget) UnmarshalJSON(raw []byte) error {
	if json.Unmarshal(raw, &t.ID) == nil {
		return nil
	}
	type plain wireTarget
	return json.Unmarshal(raw, (*plain)(t))
}

type wireAssignment struct {
	ID              string      `json:"id"`
	TemplateID      string      `json:"template_id"`
	TemplateVersion json.Number `json:"template_version"`
	Template        struct {
		ID      string      `json:"id"`
		Version json.Number `json:"version"`
	} `json:"template"`
	TargetType     string                       `json:"target_type"`
	Target         wireTarget                   `json:"target"`
	Status         string                       `json:"status"`
	CreatedAt      string                       `json:"created_at"`
	LastModifiedAt string                       `json:"last_modified_at"`
	Progress       *Progress                    `json:"progress"`
	Resources      []map[string]json.RawMessage `json:"resources"`
}

// UnmarshalJSON reads an assignment of any family.
func (a *Assignment) UnmarshalJSON(raw []byte) error {
	var w wireAssignment
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	*a = Assignment{
		ID: w.ID, TemplateID: firstOf(w.TemplateID, w.Template.ID), TemplateVersion: firstOf(w.TemplateVersion.String(),
			w.Template.Version.String()),
		TargetType: firstOf(w.TargetType, w.Target.Type), Target: w.Target.ID,
		Status: w.Status, CreatedAt: w.CreatedAt, LastModifiedAt: w.LastModifiedAt, Progress: w.Progress,
	}
	for i, r := range w.Resources {
		o, err := readOutcome(r)
		if err != nil {
			return fmt.Errorf("the outcome resources[%d] cannot be read: %w", i, err)
		}
		a.Outcomes = append(a.Outcomes, o)
	}
	return nil
}

// outcomeKeys are the properties that hold what was made, by kind. The one of
// access groups holds it one step deeper and has other names.
var outcomeKeys = []string{"profile", "account_settings", "policy", "role", "action_control"}

func readOutcome(r map[string]json.RawMessage) (Outcome, error) {
	var target wireTarget
	if err := json.Unmarshal(r["target"], &target); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Account: target.ID}
	if raw, ok := r["group"]; ok {
		var w struct {
			Group struct {
				Resource string `json:"resource"`
				Status   string `json:"status"`
				Error    string `json:"error"`
			} `json:"group"`
		}
		err := json.Unmarshal(raw, &w)
		out.Status, out.Made, out.Error = w.Group.Status, w.Group.Resource, w.Group.Error
		return out, err
	}
	at := slices.IndexFunc(outcomeKeys, func(key string) bool { return r[key] != nil })
	if at < 0 {
		return out, nil
	}
	var w struct {
		Status string `json:"status"`
		Made   struct {
			ID string `json:"id"`
		} `json:"resource_created"`
		Error struct {
			Message string `json:"message"`
		} `json:"error_message"`
	}
	err := json.Unmarshal(r[outcomeKeys[at]], &w)
	out.Status, out.Made, out.Error = w.Status, w.Made.ID, w.Error.Message
	return out, err
}
