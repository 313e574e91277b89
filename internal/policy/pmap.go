package policy

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
)

// pmap is a persistent map from strings: set and delete return a new map and
// leave the old one as it was, sharing all but the path to the changed key. It
// is a hash trie of 32-way nodes.
type pmap[V any] struct {
	root *pnode[V]
	len  int
}

// edit marks the nodes that one change set made itself and may therefore
// change in place. It must have a size, or all edits would share an address.
type edit struct{ _ byte }

type pnode[V any] struct {
	by     *edit
	bitmap uint32
	slots  []pslot[V]
}

// pslot is a branch when child is set, else a leaf. Below the last level of
// the trie, nodes have no bitmap and are searched one by one.
type pslot[V any] struct {
	child *pnode[V]
	key   string
	value V
}

const (
	pmapStep = 5
	pmapBits = 64
)

// pmapSeed keeps clients from choosing ids that collide. It decides where keys
// lie and never what a map holds.
var pmapSeed = maphash.MakeSeed()

func (m pmap[V]) get(key string) (V, bool) {
	h := maphash.String(pmapSeed, key)
	n := m.root
	for shift := 0; n != nil; shift += pmapStep {
		i, found := n.find(h, shift, key)
		if !found {
			break
		}
		s := &n.slots[i]
		if s.child == nil {
			if s.key == key {
				return s.value, true
			}
			break
		}
		n = s.child
	}
	var zero V
	return zero, false
}

// find gives the slot of a key at one level: where it is, or where it would be
// inserted.
func (n *pnode[V]) find(h uint64, shift int, key string) (int, bool) {
	if shift >= pmapBits {
		i := slices.IndexFunc(n.slots, func(s pslot[V]) bool { return s.key == key })
		if i < 0 {
			return len(n.slots), false
		}
		return i, true
	}
	bit := uint32(1) << (h >> shift & 31)
	return bits.OnesCount32(n.bitmap & (bit - 1)), n.bitmap&bit != 0
}

// set returns the map with key set to value. Nodes made by the same edit are
// changed in place; a nil edit copies always.
func (m pmap[V]) set(by *edit, key string, value V) pmap[V] {
	root, added := m.root.set(by, maphash.String(pmapSeed, key), 0, pslot[V]{key: key, value: value})
	m.root = root
	if added {
		m.len++
	}
	return m
}

func (n *pnode[V]) set(by *edit, h uint64, shift int, leaf pslot[V]) (*pnode[V], bool) {
	if n == nil {
		n = &pnode[V]{by: by}
	} else {
		n = n.own(by)
	}
	i, found := n.find(h, shift, leaf.key)
	if !found {
		n.slots = slices.Insert(n.slots, i, leaf)
		if shift < pmapBits {
			n.bitmap |= 1 << (h >> shift & 31)
		}
		return n, true
	}
	s := &n.slots[i]
	var added bool
	switch {
	case s.child != nil:
		s.child, added = s.child.set(by, h, shift+pmapStep, leaf)
	case s.key == leaf.key:
		s.value = leaf.value
	default:
		var child *pnode[V]
		child, _ = child.set(by, maphash.String(pmapSeed, s.key), shift+pmapStep, *s)
		child, added = child.set(by, h, shift+pmapStep, leaf)
		*s = pslot[V]{child: child}
	}
	return n, added
}

// own returns the node itself when the edit made it, else a copy.
func (n *pnode[V]) own(by *edit) *pnode[V] {
	if by != nil && n.by == by {
		return n
	}
	return &pnode[V]{by: by, bitmap: n.bitmap, slots: slices.Clone(n.slots)}
}

// remove returns the map without key.
func (m pmap[V]) remove(by *edit, key string) pmap[V] {
	if _, ok := m.get(key); !ok {
		return m
	}
	m.root = m.root.remove(by, maphash.String(pmapSeed, key), 0, key)
	m.len--
	return m
}

// remove deletes a key that is there and returns nil for an empty node.
func (n *pnode[V]) remove(by *edit, h uint64, shift int, key string) *pnode[V] {
	n = n.own(by)
	i, _ := n.find(h, shift, key)
	if child := n.slots[i].child; child != nil {
		if n.slots[i].child = child.remove(by, h, shift+pmapStep, key); n.slots[i].child != nil {
			return n
		}
	}
	n.slots = slices.Delete(n.slots, i, i+1)
	if shift < pmapBits {
		n.bitmap &^= 1 << (h >> shift & 31)
	}
	if len(n.slots) == 0 {
		return nil
	}
	return n
}

// all walks the map in no particular order.
func (m pmap[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) { m.root.walk(yield) }
}

func (n *pnode[V]) walk(yield func(string, V) bool) bool {
	if n == nil {
		return true
	}
	for i := range n.slots {
		s := &n.slots[i]
		if s.child != nil {
			if !s.child.walk(yield) {
				return false
			}
		} else if !yield(s.key, s.value) {
			return false
		}
	}
	return true
}
