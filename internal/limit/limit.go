// Package limit describes the bounds that an operator may set. Each bound stands
// once, in a row at the package that it protects; the settings, their flags and
// their page in docs come from the rows.
package limit

// Row is one bound.
type Row struct {
	Key  string // the name of the setting, such as access.max_groups
	Help string // one sentence
	To   *int   // where it is kept; 0 stands for Usual
	// Usual is the default, Least (0 stands for 1) and Most are the ends of what
	// may be set.
	Usual, Least, Most int
}

// Fill sets the bounds that are 0 to what is usual.
func Fill(rows []Row) {
	for _, r := range rows {
		if *r.To == 0 {
			*r.To = r.Usual
		}
	}
}
