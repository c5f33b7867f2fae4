package ingress

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// hostAllowed stands against DNS rebinding: a name that an attacker controls may point at this listener, but the browser
// still sends that name.
func (h *HTTP) hostAllowed(hostport string) bool {
	host := hostname(hostport)
	return loopback(host) || slices.ContainsFunc(h.Hosts, func(x string) bool { return strings.EqualFold(x, host) })
}

func (h *HTTP) originAllowed(r *http.Request) bool {
	origins, sent := r.Header["Origin"]
	if !sent {
		return true // not a browser
	}
	if len(origins) != 1 {
		return false
	}
	if slices.ContainsFunc(h.Origins, func(allowed string) bool { return originFits(allowed, origins[0]) }) {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, r.Host)
}

// originFits reports whether an origin is the one that is allowed, or with *. before its host, one below it.
func originFits(allowed, origin string) bool {
	scheme, host, wild := strings.Cut(allowed, "://*.")
	if !wild {
		return origin == allowed
	}
	below, ok := strings.CutPrefix(origin, scheme+"://")
	name, ok2 := strings.CutSuffix(below, "."+host)
	return ok && ok2 && name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	})
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
