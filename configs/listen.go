package configs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pathMCP is the key of the one listener.
const pathMCP = "listen.mcp"

// listener compiles one address to listen on.
func (c *compiler) listener(l *listener) {
	out := &c.file.Listen.MCP
	out.At, out.BehindTLSProxy, out.WS = l.At, l.Plaintext == plainBehindProxy, l.WS
	c.listenTLS(l, out)
	c.listenAddr(l, out)
	if l.URL.At.Line > 0 {
		out.URL = strings.TrimRight(l.URL.Text, "/")
		if u, err := webURL(l.URL.Text, "http", "https"); err != nil {
			c.report.fail(CodeValue, l.URL.At, pathMCP+".url", err.Error(), "write http(s)://HOST[:PORT][/PATH]")
		} else if u.RawQuery != "" || u.ForceQuery {
			c.report.fail(CodeValue, l.URL.At, pathMCP+".url", "the url has a query", "")
		}
	}
	for i, t := range l.Hosts {
		if t.At.Line > 0 && !hostForm.MatchString(t.Text) && !bracketed(t.Text) {
			c.report.fail(CodeValue, t.At, fmt.Sprintf("%s.hosts[%d]", pathMCP, i), "this is not a host", "write HOST or HOST:PORT, without *")
		}
		out.Hosts = append(out.Hosts, strings.ToLower(t.Text))
	}
	for i, t := range l.Origins {
		if t.At.Line > 0 && !origin(t.Text) {
			c.report.fail(CodeValue, t.At, fmt.Sprintf("%s.origins[%d]", pathMCP, i), "this is not an origin",
				"write SCHEME://HOST[:PORT] in lower case, without a path; *.HOST is for all below it")
		}
		out.Origins = append(out.Origins, t.Text)
	}
}

func (c *compiler) listenAddr(l *listener, out *Listener) {
	out.Addr = defaultAddr
	if l.Addr.At.Line > 0 {
		out.Addr = l.Addr.Text
	}
	host, err := splitAddr(out.Addr)
	switch {
	case err != nil:
		c.report.fail(CodeValue, l.Addr.At, pathMCP+".addr", err.Error(), "write HOST:PORT, e.g. 127.0.0.1:7070")
	case l.TLS == nil && !out.BehindTLSProxy && !loopback(host):
		c.report.fail(CodeExposed, l.Addr.At, pathMCP+".addr",
			"a listener beyond loopback would take credentials in plain text",
			"add tls: {cert: FILE, key: FILE}, or plaintext: behind-tls-proxy where a proxy in front of it ends TLS")
	}
}

func (c *compiler) listenTLS(l *listener, out *Listener) {
	if l.TLS == nil {
		return
	}
	out.TLS = &TLS{
		Cert: c.relative(pathMCP+".tls.cert", l.TLS.Cert),
		Key:  c.relative(pathMCP+".tls.key", l.TLS.Key),
	}
	c.named(Certificate, out.TLS.Cert, l.TLS.Cert.At)
	c.named(PrivateKey, out.TLS.Key, l.TLS.Key.At)
	for key, t := range map[string]text{"cert": l.TLS.Cert, "key": l.TLS.Key} {
		if t.At.Line > 0 && t.Text == "" {
			c.report.fail(CodeValue, t.At, pathMCP+".tls."+key, "the path is empty", "")
		}
	}
	if out.BehindTLSProxy {
		c.report.fail(CodeValue, l.At, pathMCP, "tls and plaintext exclude each other", "remove one of them")
	}
}

// origin reports whether a text is the origin of a web page as browsers write it (RFC 6454 section 6.2).
func origin(s string) bool {
	plain := strings.Replace(s, "://*.", "://", 1)
	u, err := webURL(plain, "http", "https")
	return err == nil && strings.ToLower(u.Scheme+"://"+u.Host) == plain && !strings.Contains(plain, "*")
}

// hostForm is the Host header of RFC 9110 section 7.2, without what a registered name may have and no one uses.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)

// bracketed reports whether a text is an IPv6 address in brackets, with or without a port.
func bracketed(s string) bool {
	if _, err := netip.ParseAddrPort(s); err == nil {
		return strings.HasPrefix(s, "[")
	}
	inner, ok := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	_, err := netip.ParseAddr(inner)
	return ok && closed && err == nil
}

// splitAddr reads HOST:PORT and returns the host. It may be empty, which means every interface.
func splitAddr(addr string) (host string, err error) {
	host, digits, err := net.SplitHostPort(addr)
	if err != nil {
		return "", errors.New("this is not an address to listen on")
	}
	if port, err := strconv.Atoi(digits); err != nil || port < 0 || port > 65535 || strconv.Itoa(port) != digits {
		return "", errors.New("the port is not a number from 0 to 65535")
	}
	if strings.ContainsAny(host, "/@ *") {
		return "", errors.New("this is not an address to listen on")
	}
	return host, nil
}

// webURL reads an absolute URL of one of the schemes, without credentials. Its errors do not show it.
func webURL(s string, schemes ...string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, hinted{"this is not a url", "write https://HOST[:PORT]/PATH"}
	case !slices.Contains(schemes, u.Scheme):
		return nil, fmt.Errorf("the url does not begin with %s://", strings.Join(schemes, ":// or "))
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the url names no host")
	case u.User != nil:
		return nil, hinted{"the url holds credentials", "put them into headers, by reference: Authorization: Bearer ${env:TOKEN}"}
	case u.Fragment != "" || strings.Contains(s, "#"):
		return nil, errors.New("the url has a fragment")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return nil, errors.New("the port of the url is not a number from 1 to 65535")
		}
	}
	return u, nil
}
