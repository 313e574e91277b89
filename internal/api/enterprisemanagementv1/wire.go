package enterprisemanagementv1

import (
	"strings"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
)

// stamps are the dates that every node carries on the wire.
type stamps struct {
	CreatedAt string `json:"created_at"`
	CreatedBy string `json:"created_by"`
	UpdatedAt string `json:"updated_at,omitempty"`
	UpdatedBy string `json:"updated_by,omitempty"`
}

func wireStamps(m *store.Meta) stamps {
	s := stamps{CreatedAt: httpapi.Millis(m.CreatedAt), CreatedBy: m.CreatedBy}
	if m.Version > 1 {
		s.UpdatedAt, s.UpdatedBy = httpapi.Millis(m.ModifiedAt), m.ModifiedBy
	}
	return s
}

type enterpriseOut struct {
	URL                 string `json:"url"`
	ID                  string `json:"id"`
	EnterpriseAccountID string `json:"enterprise_account_id"`
	CRN                 string `json:"crn"`
	Name                string `json:"name"`
	Domain              string `json:"domain,omitempty"`
	State               string `json:"state"`
	ContactIAMID        string `json:"primary_contact_iam_id"`
	ContactEmail        string `json:"primary_contact_email"`
	SourceAccountID     string `json:"source_account_id,omitempty"`
	stamps
}

func wireEnterprise(e *enterprise.Enterprise) *enterpriseOut {
	return &enterpriseOut{URL: "/v1/enterprises/" + e.ID, ID: e.ID, EnterpriseAccountID: e.Account, CRN: e.CRN(),
		Name: e.Name, Domain: e.Domain, State: e.State, ContactIAMID: e.Owner, ContactEmail: e.ContactEmail, SourceAccountID: e.SourceAccount,
		stamps: wireStamps(&e.Meta)}
}

// place words where a node stands: its parent's CRN and the path from the root.
func place(root, ent string, above []string) (parent, path string) {
	path = "enterprise:" + ent
	if len(above) == 0 {
		return enterprise.CRN(root, "enterprise", ent), path
	}
	return enterprise.CRN(root, "account-group", above[len(above)-1]), path + "/account-group:" + strings.Join(above, "/account-group:")
}

type groupOut struct {
	URL                 string `json:"url"`
	ID                  string `json:"id"`
	CRN                 string `json:"crn"`
	Parent              string `json:"parent"`
	EnterpriseAccountID string `json:"enterprise_account_id"`
	EnterpriseID        string `json:"enterprise_id"`
	EnterprisePath      string `json:"enterprise_path"`
	Name                string `json:"name"`
	State               string `json:"state"`
	ContactIAMID        string `json:"primary_contact_iam_id"`
	ContactEmail        string `json:"primary_contact_email"`
	stamps
}

func wireGroup(g *enterprise.Group) *groupOut {
	parent, path := place(g.Account, g.Enterprise, g.Above)
	return &groupOut{URL: "/v1/account-groups/" + g.ID, ID: g.ID, CRN: g.CRN(), Parent: parent,
		EnterpriseAccountID: g.Account, EnterpriseID: g.Enterprise, EnterprisePath: path, Name: g.Name, State: g.State,
		ContactIAMID: g.Owner, ContactEmail: g.ContactEmail, stamps: wireStamps(&g.Meta)}
}

type accountOut struct {
	URL                 string `json:"url"`
	ID                  string `json:"id"`
	CRN                 string `json:"crn"`
	Parent              string `json:"parent"`
	EnterpriseAccountID string `json:"enterprise_account_id"`
	EnterpriseID        string `json:"enterprise_id"`
	EnterprisePath      string `json:"enterprise_path"`
	Name                string `json:"name"`
	State               string `json:"state"`
	OwnerIAMID          string `json:"owner_iam_id"`
	OwnerEmail          string `json:"owner_email"`
	Paid                bool   `json:"paid"`
	IsRoot              bool   `json:"is_enterprise_account"`
	stamps
}

func wireAccount(m *enterprise.Member) *accountOut {
	parent, path := place(m.Account, m.Enterprise, m.Above)
	return &accountOut{URL: "/v1/accounts/" + m.ID, ID: m.ID, CRN: m.CRN(), Parent: parent,
		EnterpriseAccountID: m.Account, EnterpriseID: m.Enterprise, EnterprisePath: path, Name: m.Name, State: m.State,
		OwnerIAMID: m.Owner, OwnerEmail: m.OwnerEmail, Paid: true, IsRoot: m.Root, stamps: wireStamps(&m.Meta)}
}

// list is a page of nodes; next_url is absent on the last one.
type list[T any] struct {
	RowsCount int    `json:"rows_count"`
	NextURL   string `json:"next_url,omitempty"`
	Resources []*T   `json:"resources"`
}
