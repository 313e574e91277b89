package iam

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kagiban/kagiban/internal/cli/object"
	"github.com/kagiban/kagiban/internal/cli/shell"
	"github.com/kagiban/kagiban/internal/client"
)

var links = object.Kind[client.Link]{
	Noun: "link", Verb: "trusted-profile-link", Array: "links", Owner: ofProfile("links"),
	Key:    func(l client.Link) (string, string) { return l.ID, l.Name },
	Header: []string{"ID", "Name", "CR Type", "Namespace", "Service Account or Component", "CRN"},
	Row: func(l client.Link) []string {
		return []string{l.ID, l.Name, l.CRType, l.Link.Namespace, firstOf(l.Link.Name, l.Link.ComponentName), l.Link.CRN}
	},
	Rows: linkRows,
}

var crTypes = []string{"VSI", "PVS", "BMS", "IKS_SA", "ROKS_SA", "CE"}

func linkRows(l client.Link) [][2]string {
	rows := [][2]string{
		{"ID", l.ID},
		{"Name", l.Name},
		{"CR Type", l.CRType},
		{"CRN", l.Link.CRN},
	}
	for _, optional := range [][2]string{
		{"Namespace", l.Link.Namespace},
		{"Service Account", l.Link.Name},
		{"Component Type", l.Link.ComponentType},
		{"Component Name", l.Link.ComponentName},
	} {
		if optional[1] != "" {
			rows = append(rows, optional)
		}
	}
	return append(rows, [2]string{"Version", l.EntityTag}, [2]string{"Created At", l.CreatedAt})
}

func linkVerbs() []shell.Verb {
	return []shell.Verb{linkCreateVerb(), links.List(shell.Verb{}, nil), links.Delete(shell.Verb{}, "", nil)}
}

func linkCreateVerb() shell.Verb {
	var name, crType string
	var resource client.LinkResource
	return shell.Verb{
		Use:   "trusted-profile-link-create NAME|ID",
		Short: "Let a compute resource assume a trusted profile",
		Example: `  kagiban iam trusted-profile-link-create backup --name vm --cr-type VSI --link-crn CRN
  kagiban iam trusted-profile-link-create backup --name job --cr-type IKS_SA --link-crn CRN \
    --link-namespace default --link-name backup`,
		Args:   cobra.ExactArgs(1),
		Output: true,
		Force:  true,
		Flags: func(f *pflag.FlagSet) {
			f.StringVar(&name, "name", "", "name of the link")
			f.StringVar(&crType, "cr-type", "", "kind of compute resource: "+strings.Join(crTypes, ", "))
			f.StringVar(&resource.CRN, "link-crn", "", "CRN of the compute resource")
			f.StringVar(&resource.Namespace, "link-namespace", "", "Kubernetes namespace")
			f.StringVar(&resource.Name, "link-name", "", "Kubernetes service account")
			f.StringVar(&resource.ComponentType, "link-component-type", "", "Code Engine component: job, function or app")
			f.StringVar(&resource.ComponentName, "link-component-name", "", "name of the Code Engine component")
		},
		Values: map[string][]string{"cr-type": crTypes, "link-component-type": {"job", "function", "app"}},
		Do: func(ctx context.Context, c *shell.Call, session *shell.Session) error {
			if crType == "" || resource.CRN == "" {
				return shell.Usagef("--cr-type and --link-crn are required")
			}
			c.Progress("Creating link %s of trusted profile %s under current account as %s", name, c.Args[0], session.User())
			of, err := links.In(ctx, session, c.Args[0])
			if err != nil {
				return err
			}
			made, err := client.Post[client.Link](ctx, session.API, of.Path, nil, struct {
				Name   string              `json:"name,omitempty"`
				CRType string              `json:"cr_type"`
				Link   client.LinkResource `json:"link"`
			}{name, strings.ToUpper(crType), resource})
			if err != nil {
				return err
			}
			return object.Created(c, made, "Link "+firstOf(name, made.Value.ID)+" is created successfully", linkRows)
		},
	}
}
