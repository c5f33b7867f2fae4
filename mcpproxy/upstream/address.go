package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// ErrAddress says that the name of a server led to an address that it may not have.
var ErrAddress = errors.New("the host has an address that networks does not list")

// reach is which addresses a host may have. It is asked about the address that is being dialled, so a name cannot lead
// elsewhere between the question and the connection.
type reach struct {
	host   string
	listed []netip.Prefix
}

// dialer opens connections to the host of a URL.
func (c *Config) dialer(host string) DialFunc {
	if c.Dial != nil {
		return c.Dial
	}
	r := &reach{host: host, listed: c.Networks}
	d := net.Dialer{ControlContext: r.check}
	return d.DialContext
}

// Dialer opens TCP connections to public addresses, and to those in the networks; to others only of the hosts that somebody has
// written into the configuration, as Config does for the host of its URL. What a server names, as OAuth's metadata do, is not
// written there: neither an address nor localhost counts then.
func Dialer(networks []netip.Prefix, written ...string) DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("%w: it cannot be read", ErrAddress)
		}
		r := &reach{listed: networks}
		if slices.Contains(written, host) {
			r.host = host
		}
		d := net.Dialer{ControlContext: r.check}
		return d.DialContext(ctx, network, addr)
	}
}

func (r *reach) check(_ context.Context, _, addr string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("%w: it cannot be read", ErrAddress)
	}
	if !r.allows(at.Addr()) {
		return fmt.Errorf("%w: %s", ErrAddress, at.Addr())
	}
	return nil
}

// allows reports whether the host may have an address: one that is written in the URL itself, a public one, or one of the
// networks that are listed.
func (r *reach) allows(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if written, err := netip.ParseAddr(r.host); err == nil {
		return written.WithZone("").Unmap() == a
	}
	if local := strings.ToLower(strings.TrimSuffix(r.host, ".")); a.IsLoopback() && (local == "localhost" || strings.HasSuffix(local, ".localhost")) {
		return true // RFC 6761 section 6.3
	}
	for _, p := range r.listed {
		if p.Contains(a) {
			return true
		}
	}
	return public(a)
}

// special are networks that are not of the public Internet, or lead into others (RFC 6890 and IANA's registries of special
// purposes), beside those that package netip knows.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("fec0::/10"),
}

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
