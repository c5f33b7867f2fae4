package guardrails

import (
	"fmt"
	"time"

	"github.com/hopgate/hopgate/policy"
)

// Keys are the keys of a connection.
type Keys struct {
	Guard    *ProfileName  `yaml:"guard" doc:"Profile of guardrails that messages of the connection pass through, in both directions: light (default), strict, or one of guardrails at the top of the file."`
	Taint    *Taint        `yaml:"taint" doc:"How long the agent is tainted, 1m to 30d, after it was told injected instructions on this connection: it may then call no tool of the tasks write and admin and none with sink, on any connection but those with off. Default: 30m with guard: strict, else not at all."`
	Suppress []Suppression `yaml:"suppress" doc:"Findings that are none of what they look like. They are on record and nothing is done about them, until a day."`
}

// ToolKeys are the keys of a tool. Its profile comes on top of the connection's: the stricter of the two acts.
type ToolKeys struct {
	Guard *ProfileName `yaml:"guard" doc:"Profile of guardrails for calls of these tools and their results, besides the connection's. Of the two the stricter acts."`
	Sink  bool         `yaml:"sink" doc:"Whether these tools act, or send something away: an agent that is tainted may not call them."`
}

// FileKeys are the keys at the top of a file.
type FileKeys struct {
	Guardrails []Profile `yaml:"guardrails" doc:"Profiles of guardrails by name: ordered rules, of which for each finding the first that fits says what is done. Secrets that no rule fits are blocked. The profiles light and strict exist without being written."`
}

// ProfileName names a profile.
type ProfileName struct {
	Text string
	At   policy.Pos
}

// UnmarshalText reads a name.
func (n *ProfileName) UnmarshalText(text []byte) error {
	if !nameForm(string(text)) {
		return fmt.Errorf("%q is not a name: letters, digits, - and _, 64 at most", text)
	}
	n.Text = string(text)
	return nil
}

// SchemaPattern is the form of a name.
func (*ProfileName) SchemaPattern() string { return namePattern }

// SchemaTitle says what messages call a value.
func (*ProfileName) SchemaTitle() string { return "a name of letters, digits, - and _" }

const namePattern = `^[A-Za-z0-9_-]{1,64}$`

func nameForm(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}

// Profile is a named list of rules.
type Profile struct {
	Name  ProfileName `yaml:",key"`
	Rules []Rule      `yaml:",value"`
	At    policy.Pos
}

// Rule says what is done about what is found.
type Rule struct {
	Find        []Find           `yaml:"find" doc:"What the rule is for: secret, pii, injection, hidden (a kind), a finding by name like email, card, us-ssn or github-token, or a mapping that describes one of your own."`
	Unscannable *Unscannable     `yaml:"on_unscannable" doc:"What is done about what could not be looked at: block or log. Without this, text that could not be read to its end is blocked, and pictures, sound and archives pass and are logged."`
	In          Way              `yaml:"in" doc:"Where: args (what goes to the server), result (what goes to the agent) or both (default)."`
	Do          Action           `yaml:"do" doc:"What is done, from the mildest to the strictest: log, mask (a placeholder with the last characters), hash (a placeholder that is the same for the same value, without a way back), tokenize (a placeholder that is put back where restore says), surrogate (a value of the same shape that belongs to nobody), redact (a placeholder), drop (the member or element is left out where it may be, else redacted), hold (the result waits until a person releases it) or block."`
	Keep        time.Duration    `yaml:"keep" doc:"How long a token can be put back, from the last time that it was given; or how long a held result waits for a person, and from then on for the agent (default 24h; 1m to 90d)."`
	Restore     []Restore        `yaml:"restore" doc:"Where tokens of this rule are put back, on the way to the server: TOOL:POINTER or UPSTREAM/TOOL:POINTER, with the JSON pointer into the arguments and * for any run of characters, like crm/send_mail:/to. Nowhere without this."`
	Scope       HashScope        `yaml:"scope" doc:"Within what equal values get equal hashes: connection (default), agent, upstream or all."`
	Sure        Level            `yaml:"at" doc:"From which certainty on: low, medium (default) or high."`
	Tools       []policy.Pattern `yaml:"tools" doc:"Only calls of these tools: TOOL or UPSTREAM/TOOL, with * for any run of characters."`
	Except      []policy.Pattern `yaml:"except" doc:"No calls of these tools: TOOL or UPSTREAM/TOOL, with * for any run of characters."`
	Paths       []policy.Pattern `yaml:"paths" doc:"Only at these places: JSON pointers into the message, with * for any run of characters, like /params/arguments/*."`
	At          policy.Pos
}

// SchemaOneOf returns the keys of which one must be there.
func (*Rule) SchemaOneOf() []string { return []string{"find", "on_unscannable"} }

// SchemaNeeds returns the keys that may only stand where others do.
func (*Rule) SchemaNeeds() map[string][]string {
	return map[string][]string{"do": {"find"}, "at": {"find"}, "paths": {"find"}, "scope": {"do"}, "keep": {"do"}, "restore": {"do"}}
}

// Find is what a rule looks for: something that is known, or a rule of the operator's own.
type Find struct {
	Known string // set where a scalar is written

	Name            ProfileName `yaml:"name" doc:"Name of the finding; other rules may use it."`
	Kind            OwnKind     `yaml:"kind" doc:"What it is: pii (default), secret or injection."`
	Literal         []string    `yaml:"literal" doc:"Exact texts, in any case."`
	Regex           string      `yaml:"regex" doc:"Expression in the syntax RE2. Each match begins with one of at least three literal characters, or holds the anchor near its begin."`
	Anchor          string      `yaml:"anchor" doc:"Literal text that each match of the regex holds, at most 64 bytes after its begin."`
	Words           []string    `yaml:"words" doc:"Texts that are found where they stand as whole words."`
	Gitleaks        TOML        `yaml:"gitleaks" doc:"A configuration of gitleaks (TOML) whose rules find secrets, as in ${file:leaks.toml}. What it says about paths and commits means nothing here."`
	Field           []string    `yaml:"field" doc:"Names of members whose whole value is the finding."`
	Examples        []string    `yaml:"examples" doc:"Texts in which the rule must find something, or the configuration is refused. At least one."`
	Counterexamples []string    `yaml:"counterexamples" doc:"Texts in which the rule must find nothing, or the configuration is refused. At least one."`
	At              policy.Pos
}

// TOML is a text in that language, or a reference to a file with one.
type TOML struct {
	Text string
	At   policy.Pos
}

// SchemaReferences says that the text may come from a file.
func (*TOML) SchemaReferences() {}

// UnmarshalText reads the name of something that is known.
func (f *Find) UnmarshalText(text []byte) error {
	if !nameForm(string(text)) {
		return fmt.Errorf("%q is not the name of a finding", text)
	}
	f.Known = string(text)
	return nil
}

// SchemaPattern is the form of a name.
func (*Find) SchemaPattern() string { return namePattern }

// SchemaTitle says what messages call a value.
func (*Find) SchemaTitle() string { return "the name of a finding" }

// SchemaOneOf returns the keys of which one must be there.
func (*Find) SchemaOneOf() []string {
	return []string{"literal", "regex", "words", "field", "gitleaks"}
}

// SchemaNeeds returns the keys that may only stand where others do.
func (*Find) SchemaNeeds() map[string][]string { return map[string][]string{"anchor": {"regex"}} }
