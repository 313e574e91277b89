package template

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/kagiban/kagiban/internal/asker"
	"github.com/kagiban/kagiban/internal/fault"
	"github.com/kagiban/kagiban/internal/policy"
)

// What a template may hold, and who may give it: all that a version says, it and
// the versions that come with it, must be what its author may know and what who
// assigns it may assign by itself. Otherwise a template would lend the rights of
// one kind to those who hold only another.

// On is the resource that actions on a template of a kind, and on its
// assignments, are decided on; templateID is "" for all of an account.
func (s *Service) On(kind, account, templateID string) policy.Resource {
	return policy.Resource{ServiceName: s.kind(kind).Service, Account: account, ResourceType: "template", Resource: templateID}
}

// Objects that actions are about.
const (
	aTemplate    = "template"
	anAssignment = "assignment"
)

// action names what may be done to a template or an assignment of the kind.
func (k *Kind) action(to, verb string) string {
	return k.Service + "." + k.Noun + "-" + to + "." + verb
}

// knows refuses a draft that holds what its kind does not know: nobody would
// have judged it.
func (k *Kind) knows(d *Draft) error {
	if len(d.References) > 0 && !k.Refers {
		return fault.Field("policy_template_references", "A %s refers to no policy templates.", k.Title)
	}
	var parts map[string]json.RawMessage
	if json.Unmarshal(d.Payload, &parts) != nil {
		return nil // Decode says what is wrong with it
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if !slices.Contains(k.Parts, name) {
			return fault.Field(name, "Property '%s' is no part of this kind of template.", name)
		}
	}
	return nil
}

// mayRefer refuses to refer to templates that the rights do not let read, as if
// they were not there.
func (s *Service) mayRefer(rights asker.Rights, root string, refs []Reference) error {
	for _, ref := range refs {
		read := []string{s.kind(ref.Kind).action(aTemplate, "read")}
		if rights.Lacks(s.On(ref.Kind, root, ref.ID), read) != "" {
			return noReference(ref)
		}
	}
	return nil
}

// noReference is the error for a referenced version that is not there, or not for
// who asks to know.
func noReference(ref Reference) error {
	return fault.Field("template_references", "Referenced template '%s' has no version %d.", ref.ID, ref.Version)
}

// sees demands sight of the enterprise, which everything about its assignments
// needs beside the action itself.
func sees(ctx context.Context, who asker.Asker, root string, absent *fault.Error) error {
	return asker.Need(ctx, who, "enterprise.enterprise.retrieve", policy.Resource{ServiceName: "enterprise", Account: root}, absent)
}

// mayGive refuses who asks to give what a version gives, and the versions that it
// needs: each must be theirs to assign as if it were assigned by itself. It notes
// what comes with the version.
func (s *Service) mayGive(ctx context.Context, who asker.Asker, v *Version, doc Document, with *lent) error {
	var uses []Document
	for i, ref := range needs(v, doc) {
		create := s.kind(ref.Kind).action(anAssignment, "create")
		if err := asker.Need(ctx, who, create, s.On(ref.Kind, v.Account, ref.ID), NoTemplate(v.Parent)); err != nil {
			return err
		}
		other, says, err := s.referenced(ctx, s.db.Direct(), v.Account, ref, true)
		if err == nil {
			err = s.mayGive(ctx, who, other, says, with)
		}
		if err != nil {
			return err
		}
		with.versions = append(with.versions, other)
		if i >= len(v.References) {
			uses = append(uses, says)
		}
	}
	own, err := doc.MayGive(ctx, who, v.Account, uses)
	with.held = append(with.held, own...)
	return err
}

// lent is what comes with a version: the versions that it needs, as they were
// found, and the actions of their roles and its own that who assigns it holds.
type lent struct {
	versions []*Version
	held     []string
}

// given are the actions as an assignment notes them.
func (l *lent) given() []string {
	slices.Sort(l.held)
	return slices.Compact(l.held)
}

// given are the actions that an assignment may give to services: those that who
// made its last wish held in the enterprise account. They are its rights wherever
// it is laid.
type given []string

// Lacks implements asker.Rights.
func (g given) Lacks(_ policy.Resource, actions []string) string {
	for _, action := range actions {
		if _, ok := slices.BinarySearch(g, action); !ok {
			return action
		}
	}
	return ""
}

// CannotGive implements asker.Rights.
func (g given) CannotGive(on policy.Resource, actions []string) string { return g.Lacks(on, actions) }
