package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kagiban/kagiban/internal/app"
	"github.com/kagiban/kagiban/internal/httpapi"
)

func newOperations(s *streams) *cobra.Command {
	var output, family string
	var all bool
	cmd := &cobra.Command{
		Use:   "operations",
		Short: "Show which operations of the official SDK this server has",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usagef("--output must be text or json")
			}
			table, err := app.Operations(cmd.Context())
			if err != nil {
				return err
			}
			covered, err := httpapi.Cover(table)
			if err != nil {
				return err
			}
			if family != "" {
				if covered = onlyFamily(covered, family); len(covered) == 0 {
					return usagef("--family: there is no family %q", family)
				}
			}
			switch {
			case output == "json":
				return writeCoverageJSON(s.out, covered)
			case all || family != "":
				return writeOperations(s.out, covered)
			}
			return writeFamilies(s.out, covered)
		},
	}
	cmd.Flags().StringVar(&output, "output", "text", "text or json")
	cmd.Flags().StringVar(&family, "family", "", "show the operations of one SDK package")
	cmd.Flags().BoolVar(&all, "all", false, "show every operation, not a line for each family")
	return cmd
}

func onlyFamily(in []httpapi.Coverage, family string) (out []httpapi.Coverage) {
	for _, c := range in {
		if c.Family == family {
			out = append(out, c)
		}
	}
	return out
}

func writeOperations(w io.Writer, list []httpapi.Coverage) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "Family\tOperation\tMethod\tPath\tState")
	for _, c := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", c.Family, c.Operation, c.Method, c.Path, c.State)
	}
	return t.Flush()
}

// familyCoverage counts the states of one family.
type familyCoverage struct {
	Family   string `json:"family"`
	Built    int    `json:"built"`
	NotBuilt int    `json:"not_built"`
	Absent   int    `json:"absent"`
	Own      int    `json:"own"`
	Wrong    int    `json:"wrong"`
}

// families counts; the list is sorted by family.
func families(list []httpapi.Coverage) []*familyCoverage {
	var out []*familyCoverage
	for _, c := range list {
		if len(out) == 0 || out[len(out)-1].Family != c.Family {
			out = append(out, &familyCoverage{Family: c.Family})
		}
		f := out[len(out)-1]
		switch c.State {
		case httpapi.StateBuilt:
			f.Built++
		case httpapi.StateNotBuilt:
			f.NotBuilt++
		case httpapi.StateAbsent:
			f.Absent++
		case httpapi.StateOwn:
			f.Own++
		case httpapi.StateWrong:
			f.Wrong++
		}
	}
	return out
}

func writeFamilies(w io.Writer, list []httpapi.Coverage) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "Family\tSDK operations\tBuilt\tKnown, not built\tAbsent\tOwn")
	for _, f := range families(list) {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\n", f.Family, f.Built+f.NotBuilt+f.Absent+f.Wrong, f.Built, f.NotBuilt, f.Absent, f.Own)
	}
	return t.Flush()
}

func writeCoverageJSON(w io.Writer, list []httpapi.Coverage) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"families": families(list), "operations": list})
}
