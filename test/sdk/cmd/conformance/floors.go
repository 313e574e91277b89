package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// floor is what a suite has to reach.
type floor struct {
	suite string
	total int // specs in the suite; another number means that the suite changed
	min   int // specs that must pass
}

// readFloors parses "suite total floor" lines; # starts a comment.
func readFloors(path string) ([]floor, error) {
	lines, err := readLines(path)
	if err != nil {
		return nil, fmt.Errorf("reading floors: %w", err)
	}
	var floors []floor
	for _, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 3 {
			return nil, fmt.Errorf("reading floors: %q is not \"suite total floor\"", line)
		}
		total, err1 := strconv.Atoi(fields[1])
		lowest, err2 := strconv.Atoi(fields[2])
		if err1 != nil || err2 != nil || lowest < 0 || lowest > total {
			return nil, fmt.Errorf("reading floors: %q has a wrong number", line)
		}
		floors = append(floors, floor{fields[0], total, lowest})
	}
	return floors, nil
}

// readGaps returns the names of the specs that are not expected to pass yet. A
// suite without such a file has no gaps.
func readGaps(path string) (map[string]bool, error) {
	lines, err := readLines(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading gaps: %w", err)
	}
	gaps := map[string]bool{}
	for _, line := range lines {
		gaps[line] = true
	}
	return gaps, nil
}

// readLines returns the lines of a file that are neither empty nor start with #.
// A # later in the line belongs to it: names of specs contain it.
func readLines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var lines []string
	for sc := bufio.NewScanner(f); ; {
		if !sc.Scan() {
			return lines, sc.Err()
		}
		line := strings.TrimSpace(sc.Text())
		if line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
}
