package policy

import "slices"

// A pin is the hash of one attribute value that a policy insists on: its
// instance, or else its tag, resource group, resource or region. It lies in the
// index beside the policy, so that most candidates are ruled out without
// touching the policy's memory, which is what a decision in a large account
// waits for. 0 is a policy that pins nothing.
//
// Hashes only rule out. They are the same on every node, so that all nodes walk
// an index in the same order and name the same policy.
type pin uint32

// The kinds of pin, in the lowest bits; most telling first.
const (
	pinInstance pin = iota + 1
	pinTag
	pinGroup
	pinResource
	pinRegion
	pinKinds = 7
)

func newPin(kind pin, value string) pin { return pin(hash32(value))&^pinKinds | kind }

// pinOf chooses the pin of a policy.
func pinOf(p *Policy) pin {
	if v := attribute(p.Resource, AttrServiceInstance); v != "" {
		return newPin(pinInstance, v)
	}
	for _, t := range p.Tags {
		if isPlainEquals(t) && !isAny(t) {
			return newPin(pinTag, t.Key+":"+t.Value.Text)
		}
	}
	if v := attribute(p.Resource, AttrResourceGroupID); v != "" {
		return newPin(pinGroup, v)
	}
	if v := attribute(p.Resource, AttrResource); v != "" {
		return newPin(pinResource, v)
	}
	if v := attribute(p.Resource, AttrRegion); v != "" {
		return newPin(pinRegion, v)
	}
	return 0
}

// pins are those that the resource of a request satisfies.
type pins struct {
	list [12]pin
	len  int
	// manyTags is set when the tags did not all fit: pins on tags then rule
	// nothing out.
	manyTags bool
}

func (p *pins) add(kind pin, value string) {
	if value == "" {
		return
	}
	if p.len == len(p.list) {
		p.manyTags = true
		return
	}
	p.list[p.len] = newPin(kind, value)
	p.len++
}

// fill collects the pins of a resource; tags come last, so that only they can
// be too many.
func (p *pins) fill(r *Resource, group string) {
	p.add(pinInstance, r.ServiceInstance)
	p.add(pinGroup, group)
	p.add(pinResource, r.Resource)
	p.add(pinRegion, r.Region)
	for _, t := range r.Tags {
		p.add(pinTag, t)
	}
}

// admit reports whether a policy with this pin may be about the resource.
func (p *pins) admit(x pin) bool {
	return x == 0 || slices.Contains(p.list[:p.len], x) || p.manyTags && x&pinKinds == pinTag
}

// hash32 mixes eight bytes at a time and is never 0.
func hash32(s string) uint32 {
	const multiplier = 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	h := uint64(len(s)) * multiplier
	for len(s) >= 8 {
		word := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		h = (h ^ word) * multiplier
		h ^= h >> 29
		s = s[8:]
	}
	var word uint64
	for i := range len(s) {
		word = word<<8 | uint64(s[i])
	}
	h = (h ^ word) * multiplier
	return max(uint32(h>>32), 1)
}
