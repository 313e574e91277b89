package valid

import (
	"cmp"
	"slices"
)

// mostNear is how many names are suggested for a misspelt one.
const mostNear = 3

// Nearest gives the names that a misspelt one may stand for, the nearest first:
// at most three, within two edits or, for long names, one in every five bytes.
// Its cost grows with the names of about the same length alone.
func Nearest(name string, names []string) []string {
	type near struct {
		name string
		far  int
	}
	most := max(2, len(name)/5)
	var found []near
	for _, n := range names {
		if max(len(n)-len(name), len(name)-len(n)) > most {
			continue
		}
		if far := edits(name, n); far <= most {
			found = append(found, near{n, far})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.far, b.far) })
	var out []string
	for _, n := range found[:min(len(found), mostNear)] {
		out = append(out, n.name)
	}
	return out
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j+1]+1, row[j]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
