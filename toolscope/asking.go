package toolscope

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hopgate/hopgate/policy"
)

// Sampling is whether, and how, the upstream may ask the agent's model. The zero Sampling denies; a mapping allows what it
// says.
type Sampling struct {
	Word  Permission      // of the short form; unsaid where a mapping is written
	Gates policy.Settings `yaml:",inline" place:"sampling"` // what other gates ask of such requests
	At    policy.Pos
}

// UnmarshalText reads allow or deny.
func (s *Sampling) UnmarshalText(text []byte) error { return s.Word.UnmarshalText(text) }

// SchemaEnum returns the values of the short form.
func (*Sampling) SchemaEnum() []string { return words }

func (s *Sampling) allowed() bool { return s.Word.grants(s.At) }

// Elicitation is whether, and for what, the upstream may ask the agent's user. The zero Elicitation denies; a mapping
// allows what it says. Neither form lets the upstream ask for secrets in a form, or send the user to a host that is not
// named.
type Elicitation struct {
	Word   Permission       // of the short form; unsaid where a mapping is written
	Fields []policy.Pattern `yaml:"fields" doc:"Fields of forms that may be asked for although their names look like those of secrets, with * for any run of characters."`
	URLs   []Host           `yaml:"urls" doc:"Hosts that the user may be sent to, by https: NAME, NAME:PORT or *.NAME for all below it. Default: none, so that there are forms alone."`
	At     policy.Pos
}

// UnmarshalText reads allow or deny.
func (e *Elicitation) UnmarshalText(text []byte) error { return e.Word.UnmarshalText(text) }

// SchemaEnum returns the values of the short form.
func (*Elicitation) SchemaEnum() []string { return words }

func (e *Elicitation) allowed() bool { return e.Word.grants(e.At) }

// Roots is whether, and which of, the agent's root folders the upstream may learn. The zero Roots denies; a mapping allows
// what it says.
type Roots struct {
	Word Permission       // of the short form; unsaid where a mapping is written
	Only []policy.Pattern `yaml:"only" doc:"URIs of root folders that the upstream may learn, with * for any run of characters. Others are left out of the answer."`
	Say  []Root           `yaml:"say" doc:"URIs that are answered in the place of the agent's own."`
	At   policy.Pos
}

// UnmarshalText reads allow or deny.
func (r *Roots) UnmarshalText(text []byte) error { return r.Word.UnmarshalText(text) }

// SchemaEnum returns the values of the short form.
func (*Roots) SchemaEnum() []string { return words }

// SchemaOneOf returns the keys of which one must be there.
func (*Roots) SchemaOneOf() []string { return []string{"only", "say"} }

func (r *Roots) allowed() bool { return r.Word.grants(r.At) }

// Permission is whether an upstream may ask something of the agent. The zero Permission says nothing.
type Permission uint8

// Permissions.
const (
	Unsaid Permission = iota
	Allow
	Deny
)

var words = []string{"allow", "deny"}

// UnmarshalText reads allow or deny.
func (p *Permission) UnmarshalText(text []byte) error {
	switch string(text) {
	case "allow":
		*p = Allow
	case "deny":
		*p = Deny
	default:
		return fmt.Errorf("%q is neither allow nor deny", text)
	}
	return nil
}

// grants reports whether the word allows, or a mapping that stands somewhere does.
func (p Permission) grants(mapping policy.Pos) bool {
	return p == Allow || p == Unsaid && mapping != policy.Pos{}
}

// Host is a host that users may be sent to.
type Host struct {
	Text string // lower case; with a port where one is written, and with *. before a name for all that end in it
	At   policy.Pos
}

const hostPattern = `^(\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?$`

var hostForm = regexp.MustCompile(hostPattern)

// UnmarshalText reads a host.
func (h *Host) UnmarshalText(text []byte) error {
	if !hostForm.Match(text) {
		return fmt.Errorf("%q is no host: write NAME, NAME:PORT or *.NAME", text)
	}
	h.Text = strings.ToLower(string(text))
	return nil
}

// SchemaPattern is the form of a host.
func (*Host) SchemaPattern() string { return hostPattern }

// SchemaTitle says what messages call a value.
func (*Host) SchemaTitle() string { return "a host" }

// Root is the URI of a folder.
type Root string

// UnmarshalText reads a URI.
func (r *Root) UnmarshalText(text []byte) error {
	if !strings.HasPrefix(string(text), "file:///") {
		return errors.New("a root is a URI that begins with file:///")
	}
	if _, err := normalize(string(text)); err != nil {
		return fmt.Errorf("a root is a URI: %w", err)
	}
	*r = Root(text)
	return nil
}

// SchemaPattern is the form of a root.
func (*Root) SchemaPattern() string { return `^file:///` }

// SchemaTitle says what messages call a value.
func (*Root) SchemaTitle() string { return "a file URI" }
