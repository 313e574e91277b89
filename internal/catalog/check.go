package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/valid"
)

// Bounds of one own service. No built-in service comes near them.
const (
	maxRoles   = 50
	maxActions = 500
	maxText    = 250 // characters of a display name or description, as of custom roles
)

var (
	// serviceName is that of CRNs: "my-shop", and "my-shop.order" for a part.
	serviceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}(\.[a-zA-Z][a-zA-Z0-9-]{0,62})?$`)
	// roleName is the form of a custom role's name.
	roleName = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,29}$`)
	// actionName is "noun.verb", with the service's name in front or without.
	actionName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,62}(\.[a-zA-Z][a-zA-Z0-9_-]{0,62}){1,4}$`)
)

func bad(field, format string, args ...any) error {
	e := fault.Field(field, "Property '"+field+"' "+format, args...)
	e.Code = "invalid_body"
	return e
}

// Validate checks an own service for its form; what it must not clash with is
// the Registry's to know. The error is fault.Invalid and names the property.
func (s Service) Validate() error {
	switch {
	case !serviceName.MatchString(s.Name):
		return bad("name", "must be lower-case letters, digits and hyphens, with at most one part after a dot.")
	case len(s.Roles) > maxRoles:
		return bad("roles", "must hold at most %d roles.", maxRoles)
	case s.Group != "":
		return bad("group", "cannot be set: the groups of services are built in.")
	case s.Parent == s.Name:
		return bad("parent", "must be another service.")
	}
	if err := checkText("display_name", s.DisplayName); err != nil {
		return err
	}
	names, err := s.checkRoles()
	if err != nil {
		return err
	}
	return s.checkGrants(names)
}

func checkText(field, text string) error {
	if utf8.RuneCountInString(text) > maxText || strings.ContainsAny(text, "<>") {
		return bad(field, "must have at most %d characters and none of < and >.", maxText)
	}
	return valid.Line(field, text)
}

// checkRoles gives the names that grants may use.
func (s *Service) checkRoles() ([]string, error) {
	var names, shown []string
	for _, r := range standard {
		names, shown = append(names, r.Name), append(shown, r.DisplayName)
	}
	for i, r := range s.Roles {
		at := fmt.Sprintf("roles[%d]", i)
		display := r.DisplayName
		if display == "" {
			display = r.Name
		}
		switch {
		case !roleName.MatchString(r.Name):
			return nil, bad(at+".name", "must begin with a capital letter and hold at most 30 letters and digits.")
		case r.Of != "":
			return nil, bad(at+".of", "cannot be set: enterprise templates are not of own services.")
		case slices.Contains(names, r.Name):
			return nil, bad(at+".name", "is the name of a role that the service has already.")
		case slices.Contains(shown, display):
			return nil, bad(at+".display_name", "is shown for another role of the service: clients find roles by it.")
		}
		if err := checkText(at+".display_name", r.DisplayName); err != nil {
			return nil, err
		}
		if err := checkText(at+".description", r.Description); err != nil {
			return nil, err
		}
		names, shown = append(names, r.Name), append(shown, display)
	}
	return names, nil
}

func (s *Service) checkGrants(roles []string) error {
	actions := map[string]bool{}
	for i, g := range s.Grants {
		at := fmt.Sprintf("grants[%d]", i)
		if len(g.Roles) == 0 || len(g.Actions) == 0 {
			return bad(at, "must give actions to roles.")
		}
		for j, r := range g.Roles {
			if !slices.Contains(roles, r) {
				return bad(fmt.Sprintf("%s.roles[%d]", at, j), "names role '%s', which the service does not have.", clip(r))
			}
		}
		for j, a := range g.Actions {
			if !actionName.MatchString(strings.TrimPrefix(a, s.Name+".")) {
				return bad(fmt.Sprintf("%s.actions[%d]", at, j), "must have the form noun.verb.")
			}
			actions[qualified(*s, a)] = true
		}
	}
	if len(actions) > maxActions {
		return bad("grants", "must hold at most %d actions.", maxActions)
	}
	for i, a := range s.Self {
		if !actions[qualified(*s, a)] {
			return bad(fmt.Sprintf("self[%d]", i), "is no action of the service.")
		}
	}
	for i, a := range s.Members {
		if !actions[qualified(*s, a)] {
			return bad(fmt.Sprintf("members[%d]", i), "is no action of the service.")
		}
	}
	return nil
}

// clip shortens what a client sent for a message.
func clip(text string) string {
	if len(text) > 50 {
		return text[:50] + "…"
	}
	return text
}
