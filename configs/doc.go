// Package configs answers what the admin wrote, whether it is sound, and what policy it compiles to.
//
// [Load] reads one YAML file and returns either a [File], whole and immutable, or [Diagnostics]: everything that is wrong
// with it, each with its place and a way out. There is no partial result and no ignored key. The package also runs the
// tests that a file holds, explains a decision check by check, writes the JSON Schema of the language, and says when the
// file has changed.
//
// It judges no live call, opens no listener, starts no server and keeps no state. It knows no gate by name: the keys that a
// gate adds to a connection, and to agents, teams and other places, come from its [policy.Spec].
//
// # The language
//
// The types in language.go are the language; their doc tags are its reference, and [Schema] prints both. What holds
// everywhere:
//   - Where a list is wanted, one scalar is a list of one, and so is a mapping that a scalar may stand for.
//   - Booleans are true and false, whole numbers are decimal. Text that YAML would read as a number, a boolean or null needs
//     quotes, except where it is handed on as it is written (command, env, headers).
//   - Durations are written like 250ms, 30s, 1h30m, 90d, 2w. Sizes like 64KiB, 4MiB; a plain number means bytes.
//   - A key without a value, a key twice, a second document, a tag and a merge key are errors. Aliases are followed.
//   - ${env:X}, ${env:X:-default} and ${file:/path} are resolved after YAML is read, inside one scalar, so no value can add
//     structure. A default is plain text, up to the next }. $${ stands for ${. References work in addresses, urls, commands,
//     env, headers and paths; elsewhere they are errors.
//   - Relative paths start at the folder of the file.
//
// # Types of configuration
//
// A gate describes its keys by a struct, which the decoder fills and from which the schema is made. Each field has the tags
// yaml:"key" and doc:"sentence." and one of these types:
//   - string, bool, int, [time.Duration].
//   - A type with UnmarshalText on its pointer ([encoding.TextUnmarshaler]), written as a scalar. Its errors are shown to the
//     admin, so they say what is wrong in half a sentence; an error with a method Hint() string adds a way out.
//   - A struct with tagged fields, written as a mapping.
//   - Both at once, or a struct with one field tagged yaml:"key,scalar": then one scalar stands for the whole mapping, and
//     means what UnmarshalText makes of it, or that field alone.
//   - []T, written as a list; a scalar form of T alone is a list of one.
//   - []T where T is a struct with a field tagged yaml:",key": written as a mapping whose keys go there, in the order of
//     the file. The value fills the other fields, or the one that is tagged yaml:",value".
//   - map[string]T, written as a mapping, where the order does not matter.
//   - *T, which stays nil where the key is absent.
//
// A gate has keys in other places too, where its Spec says so: the configuration that ConfigOn returns adds its keys there.
// In the configuration of a gate, a field of type [policy.Settings] tagged yaml:",inline" place:"tool" (or "task") makes such a
// place, and takes what the keys of other gates say in it.
//
// yaml:"key,required" makes a key mandatory. A struct field tagged yaml:",inline" adds its own fields to those around it.
// Other exported fields without a yaml tag are left alone, save one: a field named At of type [policy.Pos] tells where the
// value stands. For a mapping that is its beginning, or its key where it has one; for a scalar it is the first character of
// the text, behind an opening quote or on the first line of a block, so that places inside the text can be counted from there.
//
// These optional methods let decoder and schema agree; they are called on a zero value:
//   - SchemaPattern() string: an anchored regular expression that the text must match (of scalars).
//   - SchemaEnum() []string: the values that there are (of scalars).
//   - SchemaTypes() []string: which of the JSON types string, integer, number and boolean the YAML scalar may have, where
//     that is not string alone (of scalars).
//   - SchemaReferences(): the text may hold references such as ${file:rules.toml} (of structs of a Text string and an At
//     policy.Pos, and of nothing else).
//   - SchemaTitle() string: what messages call a value, like "a duration" (of scalars).
//   - SchemaOneOf() []string: keys of which exactly one must be there (of structs).
//   - SchemaNeeds() map[string][]string: keys that may only stand where at least one of others stands (of structs).
//
// A [policy.Spec] builds from what was decoded. It must not change it, because all connections that a pattern makes out
// of one entry share it.
package configs
