package client

// Enterprise is the root of a tree of accounts.
type Enterprise struct {
	ID           string `json:"id"`
	AccountID    string `json:"enterprise_account_id"`
	CRN          string `json:"crn"`
	Name         string `json:"name"`
	Domain       string `json:"domain"`
	State        string `json:"state"`
	ContactIAMID string `json:"primary_contact_iam_id"`
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
	OwnerEmail string `json:"owner_email"`
	CreatedAt  string `json:"created_at"`
}
