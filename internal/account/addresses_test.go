package account

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAllowListLetsInWhomItNames(t *testing.T) {
	tests := []struct {
		name, list, from string
		want             bool
	}{
		{"empty list restricts nothing", "", "203.0.113.9", true},
		{"spaces and commas restrict nothing", " , ,", "203.0.113.9", true},
		{"single address", "203.0.113.9", "203.0.113.9", true},
		{"single address, neighbour", "203.0.113.9", "203.0.113.10", false},
		{"second of two", "198.51.100.1, 203.0.113.9", "203.0.113.9", true},
		{"network, first", "203.0.113.0/24", "203.0.113.0", true},
		{"network, last", "203.0.113.0/24", "203.0.113.255", true},
		{"network, outside", "203.0.113.0/24", "203.0.114.0", false},
		{"network written with host bits", "203.0.113.77/24", "203.0.113.1", true},
		{"odd network", "203.0.113.64/27", "203.0.113.95", true},
		{"odd network, outside", "203.0.113.64/27", "203.0.113.96", false},
		{"everything of one family", "0.0.0.0/0", "255.255.255.255", true},
		{"everything of the other family", "0.0.0.0/0", "2001:db8::1", false},
		{"range, lower end", "203.0.113.5 - 203.0.113.9", "203.0.113.5", true},
		{"range, upper end, no spaces", "203.0.113.5-203.0.113.9", "203.0.113.9", true},
		{"range, above", "203.0.113.5 - 203.0.113.9", "203.0.113.10", false},
		{"IPv6 single", "2001:db8::1", "2001:0db8:0:0:0:0:0:1", true},
		{"IPv6 network", "2001:db8::/32", "2001:db8:ffff::1", true},
		{"IPv6 network, outside", "2001:db8::/32", "2001:db9::1", false},
		{"IPv6 range", "2001:db8::1 - 2001:db8::f", "2001:db8::a", true},
		{"IPv4 client over an IPv6 socket", "203.0.113.9", "::ffff:203.0.113.9", true},
		{"mapped entry means the IPv4 address", "::ffff:203.0.113.9", "203.0.113.9", true},
		{"zone name alone lets nobody in", "office-network", "203.0.113.9", false},
		{"zone name beside an address", "office-network,203.0.113.9", "203.0.113.9", true},
		{"range in wrong order lets nobody in", "203.0.113.9 - 203.0.113.5", "203.0.113.7", false},
		{"range of two families lets nobody in", "203.0.113.9 - 2001:db8::1", "203.0.113.9", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ParseAddresses(tt.list).Allows(netip.MustParseAddr(tt.from)); got != tt.want {
				t.Errorf("%q allows %s: %v, want %v", tt.list, tt.from, got, tt.want)
			}
		})
	}
}

func TestUnknownClientAddressPassesOnlyAnEmptyList(t *testing.T) {
	if !ParseAddresses("").Allows(netip.Addr{}) {
		t.Error("the empty list refuses")
	}
	if ParseAddresses("0.0.0.0/0,::/0").Allows(netip.Addr{}) {
		t.Error("an unknown address passes a list")
	}
}

func TestEntriesThatAreNoAddressesAreZones(t *testing.T) {
	list := ParseAddresses("203.0.113.9, office, 300.1.1.1, 1.2.3.4/99, fe80::1%eth0, ::ffff:1.2.3.4/120")
	if got, want := strings.Join(list.Zones(), "|"), "office|300.1.1.1|1.2.3.4/99|fe80::1%eth0|::ffff:1.2.3.4/120"; got != want {
		t.Errorf("zones %s, want %s", got, want)
	}
	if list.Len() != 6 {
		t.Errorf("%d entries, want 6", list.Len())
	}
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"", "203.0.113.9", "1.2.3.4 - 1.2.3.9, 2001:db8::/32", "a-b", "-", "/", "1.2.3.4/0", "::/0,0.0.0.0/0",
		"zone one"} {
		f.Add(seed, []byte{203, 0, 113, 9})
	}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		list := ParseAddresses(text)
		addr, ok := netip.AddrFromSlice(raw)
		if !ok {
			addr = netip.MustParseAddr("192.0.2.1")
		}
		allowed := list.Allows(addr)
		if !list.Restricts() && !allowed {
			t.Fatalf("the list %q restricts nothing and refuses %s", text, addr)
		}
		// An address put at the end is let in, whatever stands before it.
		if !ParseAddresses(text + "," + addr.Unmap().String()).Allows(addr) {
			t.Fatalf("%q with %s added refuses it", text, addr)
		}
		// Order does not matter.
		parts := strings.Split(text, ",")
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		if ParseAddresses(strings.Join(parts, ",")).Allows(addr) != allowed {
			t.Fatalf("%q decides differently in reverse", text)
		}
	})
}
