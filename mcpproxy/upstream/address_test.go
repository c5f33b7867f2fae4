package upstream_test

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
)

func TestAddressesThatAHostMayHave(t *testing.T) {
	for name, c := range map[string]struct {
		host, addr string
		listed     []string
		may        bool
	}{
		"a public address":                      {"mcp.example.com", "93.184.216.34", nil, true},
		"a public address, IPv6":                {"mcp.example.com", "2606:2800:220:1::1", nil, true},
		"loopback":                              {"mcp.example.com", "127.0.0.1", nil, false},
		"loopback, IPv6":                        {"mcp.example.com", "::1", nil, false},
		"loopback in the clothes of IPv6":       {"mcp.example.com", "::ffff:127.0.0.1", nil, false},
		"a private network":                     {"mcp.example.com", "10.1.2.3", nil, false},
		"a private network that is listed":      {"mcp.example.com", "10.1.2.3", []string{"10.0.0.0/8"}, true},
		"the same in the clothes of IPv6":       {"mcp.example.com", "::ffff:10.1.2.3", []string{"10.0.0.0/8"}, true},
		"another private network":               {"mcp.example.com", "192.168.1.1", []string{"10.0.0.0/8"}, false},
		"a unique local address":                {"mcp.example.com", "fd00::1", nil, false},
		"metadata of a cloud":                   {"mcp.example.com", "169.254.169.254", nil, false},
		"metadata of a cloud, translated":       {"mcp.example.com", "64:ff9b::a9fe:a9fe", nil, false},
		"link-local with a zone":                {"mcp.example.com", "fe80::1%eth0", nil, false},
		"shared by a provider":                  {"mcp.example.com", "100.64.0.1", nil, false},
		"nowhere":                               {"mcp.example.com", "0.0.0.0", nil, false},
		"multicast":                             {"mcp.example.com", "224.0.0.1", nil, false},
		"localhost at home":                     {"localhost", "127.0.0.1", nil, true},
		"a name under localhost":                {"mcp.Localhost.", "::1", nil, true},
		"localhost elsewhere":                   {"localhost", "10.0.0.1", nil, false},
		"a name that only ends like localhost":  {"evil-localhost", "127.0.0.1", nil, false},
		"an address that is written":            {"10.1.2.3", "10.1.2.3", nil, true},
		"an address that is written as another": {"10.1.2.3", "10.1.2.4", nil, false},
		"an address of IPv6 that is written":    {"::1", "::1", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			var listed []netip.Prefix
			for _, p := range c.listed {
				listed = append(listed, netip.MustParsePrefix(p))
			}
			if got := upstream.TestOnlyReaches(c.host, listed, netip.MustParseAddr(c.addr)); got != c.may {
				t.Errorf("%s at %s: got %v", c.host, c.addr, got)
			}
		})
	}
}

func TestAddressIsCheckedWhereItIsDialled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c := &upstream.Config{Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	if _, err := upstream.TestOnlyDialer(c, "mcp.example.com")(t.Context(), "tcp", l.Addr().String()); !errors.Is(err, upstream.ErrAddress) {
		t.Errorf("got %v, want ErrAddress", err)
	}
	conn, err := upstream.TestOnlyDialer(c, "localhost")(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
