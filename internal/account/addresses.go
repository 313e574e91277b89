package account

import (
	"net/netip"
	"slices"
	"strings"
)

// MaxAddresses bounds an allow list; no public figure exists, and a list is
// walked for each token.
const MaxAddresses = 1000

// AddressList is a parsed list of allowed client addresses. The zero value
// restricts nothing. It is immutable and safe for concurrent use.
type AddressList struct {
	restricts bool
	ranges    []addressRange
	zones     []string
}

// addressRange holds both ends; IPv4 addresses are kept in their 4-byte form.
type addressRange struct{ from, to netip.Addr }

// ParseAddresses reads the wire form of an allow list: comma-separated single
// addresses, ranges "a - b", networks in CIDR form, IPv4 and IPv6 mixed, and
// names of network zones. "" restricts nothing. What is neither address nor
// range counts as the name of a zone; Zones lists those for whoever has to
// refuse them.
func ParseAddresses(text string) AddressList {
	var list AddressList
	for item := range strings.SplitSeq(text, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		list.restricts = true
		if r, ok := parseRange(item); ok {
			list.ranges = append(list.ranges, r)
		} else {
			list.zones = append(list.zones, item)
		}
	}
	return list
}

// Restricts tells whether the list holds any entry.
func (l AddressList) Restricts() bool { return l.restricts }

// Zones gives the entries that are no addresses, in their order.
func (l AddressList) Zones() []string { return slices.Clone(l.zones) }

// Len counts the entries.
func (l AddressList) Len() int { return len(l.ranges) + len(l.zones) }

// Allows tells whether a client at the address passes. Zones match nobody
// here: a list that holds only zones that nobody resolves lets no one in,
// because the reverse would open an account that its owner closed. An unknown
// address (the zero Addr) passes only a list without entries.
func (l AddressList) Allows(a netip.Addr) bool {
	if !l.restricts {
		return true
	}
	if !a.IsValid() {
		return false
	}
	a = a.Unmap().WithZone("")
	for _, r := range l.ranges {
		if r.from.BitLen() == a.BitLen() && r.from.Compare(a) <= 0 && a.Compare(r.to) <= 0 {
			return true
		}
	}
	return false
}

// parseRange reads one address, range or network. Both ends of a range must be
// of one family and in order, and an IPv4-mapped IPv6 address is the IPv4 one.
func parseRange(item string) (addressRange, bool) {
	if strings.Contains(item, "/") {
		p, err := netip.ParsePrefix(item)
		if err != nil || p.Addr().Is4In6() {
			return addressRange{}, false
		}
		p = p.Masked()
		return addressRange{p.Addr(), lastOf(p)}, true
	}
	first, last, isRange := strings.Cut(item, "-")
	from, ok := parseAddr(first)
	if !ok || !isRange {
		return addressRange{from, from}, ok
	}
	to, ok := parseAddr(last)
	if !ok || from.BitLen() != to.BitLen() || to.Less(from) {
		return addressRange{}, false
	}
	return addressRange{from, to}, true
}

func parseAddr(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSpace(text))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// lastOf gives the highest address of a masked prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(b)*8; bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
