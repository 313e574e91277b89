package enterprisemanagementv1

import (
	"strings"

	"github.com/kagiban/kagiban/internal/enterprise"
	"github.com/kagiban/kagiban/internal/httpapi"
	"github.com/kagiban/kagiban/internal/store"
)

// stamps are the dates that every node carries on the wire. A new one was updated
// when it was created: official clients take all four for granted.
type stamps struct {
	CreatedAt string `json:"created_at"`
	CreatedBy string `json:"created_by"`
	UpdatedAt string `json:"updated_at"`
	UpdatedBy string `json:"updated_by"`
}

func wireStamps(m *store.Meta) stamps {
	return stamps{CreatedAt: httpapi.Millis(m.CreatedAt), CreatedBy: m.CreatedBy, UpdatedAt: httpapi.Millis(m.ModifiedAt),
		UpdatedBy: m.ModifiedBy}
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

// child is what account groups and accounts have in common: nodes that stand
// below another.
type child struct {
	URL                 string `json:"url"`
	ID                  string `json:"id"`
	CRN                 string `json:"crn"`
	Parent              string `json:"parent"`
	EnterpriseAccountID string `json:"enterprise_account_id"`
	EnterpriseID        string `json:"enterprise_id"`
	EnterprisePath      string `json:"enterprise_path"`
	Name                string `json:"name"`
	State               string `json:"state"`
	stamps
}

// wireChild words a node of the collection at a path, below the enterprise and
// the groups above it.
func wireChild(path string, m *store.Meta, crn, ent string, above []string, state string) child {
	parent, place := enterprise.CRN(m.Account, "enterprise", ent), "enterprise:"+ent
	if len(above) > 0 {
		parent = enterprise.CRN(m.Account, "account-group", above[len(above)-1])
		place += "/account-group:" + strings.Join(above, "/account-group:")
	}
	return child{URL: path + m.ID, ID: m.ID, CRN: crn, Parent: parent, EnterpriseAccountID: m.Account, EnterpriseID: ent,
		EnterprisePath: place, Name: m.Name, State: state, stamps: wireStamps(m)}
}

type groupOut struct {
	child
	ContactIAMID string `json:"primary_contact_iam_id"`
	ContactEmail string `json:"primary_contact_email"`
}

func wireGroup(g *enterprise.Group) *groupOut {
	return &groupOut{wireChild("/v1/account-groups/", &g.Meta, g.CRN(), g.Enterprise, g.Above, g.State), g.Owner, g.ContactEmail}
}

type accountOut struct {
	child
	OwnerIAMID string `json:"owner_iam_id"`
	OwnerEmail string `json:"owner_email"`
	Paid       bool   `json:"paid"`
	IsRoot     bool   `json:"is_enterprise_account"`
}

func wireAccount(m *enterprise.Member) *accountOut {
	return &accountOut{child: wireChild("/v1/accounts/", &m.Meta, m.CRN(), m.Enterprise, m.Above, m.State),
		OwnerIAMID: m.Owner, OwnerEmail: m.OwnerEmail, Paid: true, IsRoot: m.Root}
}

// list is a page of nodes; next_url is absent on the last one.
type list[T any] struct {
	RowsCount int    `json:"rows_count"`
	NextURL   string `json:"next_url,omitempty"`
	Resources []*T   `json:"resources"`
}
