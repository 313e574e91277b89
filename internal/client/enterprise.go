package client

import "encoding/json"

// Enterprise is the root of a tree of accounts.
type Enterprise struct {
	ID           string `json:"id"`
	AccountID    string `json:"enterprise_account_id"`
	CRN          string `json:"crn"`
	Name         string `json:"name"`
	Domain       string `json:"domain"`
	State        string `json:"state"`
	ContactIAMID string `json:"primary_contact_iam_id"`
	ContactEmail string `json:"primary_contact_email"`
	CreatedAt    string `json:"created_at"`
}

// AccountGroup holds accounts and other groups.
type AccountGroup struct {
	ID           string `json:"id"`
	CRN          string `json:"crn"`
	Parent       string `json:"parent"` // CRN
	Path         string `json:"enterprise_path"`
	Name         string `json:"name"`
	State        string `json:"state"`
	ContactIAMID string `json:"primary_contact_iam_id"`
	ContactEmail string `json:"primary_contact_email"`
	CreatedAt    string `json:"created_at"`
}

// EnterpriseAccount is an account as its enterprise sees it.
type EnterpriseAccount struct {
	ID         string `json:"id"`
	CRN        string `json:"crn"`
	Parent     string `json:"parent"` // CRN
	Path       string `json:"enterprise_path"`
	Name       string `json:"name"`
	State      string `json:"state"`
	OwnerIAMID string `json:"owner_iam_id"`
	OwnerEmail string `json:"owner_email"`
	CreatedAt  string `json:"created_at"`
}

// Template is one version of an enterprise template of any kind.
type Template struct {
	ID             string      `json:"id"`
	Version        json.Number `json:"version"`
	Name           string      `json:"name"`
	Description    string      `json:"description"`
	AccountID      string      `json:"account_id"`
	Committed      bool        `json:"committed"`
	EntityTag      string      `json:"entity_tag"`
	CreatedAt      string      `json:"created_at"`
	LastModifiedAt string      `json:"last_modified_at"`
}

// Assignment lays a template version on accounts.
type Assignment struct {
	ID              string      `json:"id"`
	TemplateID      string      `json:"template_id"`
	TemplateVersion json.Number `json:"template_version"`
	TargetType      string      `json:"target_type"`
	Target          string      `json:"target"`
	Status          string      `json:"status"`
	EntityTag       string      `json:"entity_tag"`
	CreatedAt       string      `json:"created_at"`
	LastModifiedAt  string      `json:"last_modified_at"`
	// Progress is given by Kagiban while the assignment is being worked on.
	Progress *struct {
		Settled  int `json:"settled"`
		Accounts int `json:"accounts"`
	} `json:"progress"`
	// Resources are its outcomes, one an account, at its end.
	Resources []struct {
		Target  string   `json:"target"`
		Profile *Outcome `json:"profile"`
		Setting *Outcome `json:"account_settings"`
	} `json:"resources"`
}

// Running tells whether the server still works on the assignment.
func (a *Assignment) Running() bool { return a.Status == "accepted" || a.Status == "in_progress" }

// Outcome is what an assignment came to in one account.
type Outcome struct {
	Status string `json:"status"`
	Made   struct {
		ID string `json:"id"`
	} `json:"resource_created"`
	Error *struct {
		Message string `json:"message"`
	} `json:"error_message"`
}
