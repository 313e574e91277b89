package access

import (
	"fmt"
	"strings"

	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/cli/term"
	"github.com/kagiban/kagiban/internal/client"
)

// labels are the attributes' names for people; others are shown as they are.
var labels = map[string]string{
	attrService: "Service Name", "serviceInstance": "Service Instance", "region": "Region", attrResourceType: "Resource Type",
	"resource": "Resource", attrGroup: "Resource Group ID", attrServiceType: "Service Type", "service_group_id": "Service Group",
	"iam_id": "IAM ID", "access_group_id": "Access Group", attrAccount: "Account ID",
}

// serviceTypes are the values of serviceType for people.
var serviceTypes = map[any]string{"service": "All resources in account", "platform_service": "All account management services"}

// block is a table in the value of a row, one line below the row's key.
func block(list []client.Attribute, hidden string) string {
	var rows [][2]string
	width := 0
	for _, a := range list {
		if a.Key == hidden {
			continue
		}
		label := labels[a.Key]
		if label == "" {
			label = a.Key
		}
		value := fmt.Sprint(a.Value)
		if a.Key == attrServiceType && serviceTypes[a.Value] != "" {
			value = serviceTypes[a.Value]
		}
		if a.Operator != "" && a.Operator != equals {
			value += " (" + a.Operator + ")"
		}
		rows = append(rows, [2]string{label, value})
		width = max(width, term.Width(label))
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString("\n" + r[0] + strings.Repeat(" ", width-term.Width(r[0])+3) + r[1])
	}
	return b.String()
}

// policyRows show a policy. Whose it is stands there only where the verb does
// not say so.
func policyRows(p client.Object[client.Policy], whose bool) [][2]string {
	v := p.Value
	rows := [][2]string{{"Policy ID:", v.ID}}
	if p.Tag != "" {
		rows = append(rows, [2]string{"Version:", p.Tag})
	}
	if v.Description != "" {
		rows = append(rows, [2]string{"Description:", v.Description})
	}
	if whose {
		hidden := ""
		if v.Type == "authorization" {
			hidden = attrAccount
		}
		rows = append(rows, [2]string{"Subject:", block(v.Subject, hidden)})
	}
	names := make([]string, len(v.Roles))
	for i, r := range v.Roles {
		names[i] = r.DisplayName
		if names[i] == "" {
			names[i] = r.ID
		}
	}
	rows = append(rows, [2]string{"Roles:", strings.Join(names, ", ")}, [2]string{"Resources:", block(v.Resource, attrAccount)})
	if len(v.Tags) > 0 {
		rows = append(rows, [2]string{"Tags:", block(v.Tags, "")})
	}
	if v.Pattern != "" {
		rows = append(rows, [2]string{"Condition:", v.Pattern})
	}
	if v.Managed != "" {
		rows = append(rows, [2]string{"Template:", v.Managed})
	}
	return rows
}

// showPolicies shows a list, one block a policy.
func showPolicies(c *shell.Call, list []client.Object[client.Policy], whose bool) error {
	return c.Show(list, func() {
		if len(list) == 0 {
			c.Say("No policies found.")
		}
		for _, p := range list {
			c.Details(policyRows(p, whose))
		}
	})
}
