package configs

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxReferenced bounds a file that is taken into a configuration, in bytes. What is taken in are keys, tokens, and lists of
// rules.
const maxReferenced = 512 << 10

// resolver looks up what references name.
type resolver struct {
	base string // folder of the configuration; relative paths start there
	env  func(string) (string, bool)
	read func(string) ([]byte, error)
	took []string // files that references have named and that could be read, in order
}

// problem is what is wrong with a reference, and at which byte of the text it begins.
type problem struct {
	offset     int
	text, hint string
}

// references reports whether a text holds a reference or what looks like one.
func references(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "$${", ""), "${")
}

// openForm is what of a secret may be shown: references without a default, behind the name of a scheme at most.
var openForm = regexp.MustCompile(`^([A-Za-z]+ )?(\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}$]+)\})+$`)

// expand returns a text with its references resolved. What they stand for is not looked at again. $${ becomes ${, and a $
// without a brace stays. Problems name variables and paths, never values.
func (r *resolver) expand(text string) (string, []problem) {
	var out strings.Builder
	var problems []problem
	for at := 0; at < len(text); {
		rest := text[at:]
		switch {
		case strings.HasPrefix(rest, "$${"):
			out.WriteString("${")
			at += 3
		case strings.HasPrefix(rest, "${"):
			end := strings.IndexByte(rest, '}')
			if end < 0 {
				problems = append(problems, problem{at, "a reference has no closing brace", "write $${ to mean the characters themselves"})
				return "", problems
			}
			value, err := r.resolve(rest[2:end])
			if err != nil {
				problems = append(problems, problem{at, err.Error(), hint(err)})
			}
			out.WriteString(value)
			at += end + 1
		default:
			next := strings.IndexByte(rest[1:], '$') + 1
			if next == 0 {
				next = len(rest)
			}
			out.WriteString(rest[:next])
			at += next
		}
	}
	if len(problems) > 0 {
		return "", problems
	}
	return out.String(), nil
}

// resolve looks up one reference, given without its braces.
func (r *resolver) resolve(ref string) (string, error) {
	kind, name, _ := strings.Cut(ref, ":")
	switch kind {
	case "env":
		return r.variable(name)
	case "file":
		return r.file(name)
	default:
		return "", hinted{
			"there is no reference of this kind",
			"there are ${env:NAME}, ${env:NAME:-default} and ${file:/path}; write $${ to mean the characters themselves",
		}
	}
}

func (r *resolver) variable(ref string) (string, error) {
	name, fallback, optional := strings.Cut(ref, ":-")
	if !variableForm.MatchString(name) {
		return "", hinted{"a reference does not name a variable", "write ${env:NAME} or ${env:NAME:-default}"}
	}
	if strings.Contains(fallback, "${") {
		return "", hinted{"a reference stands inside another", "a default is plain text"}
	}
	value, set := r.env(name)
	switch {
	case optional && value == "":
		return fallback, nil
	case !set:
		return "", hinted{
			fmt.Sprintf("variable %s is not set", name),
			fmt.Sprintf("set it, or give a default: ${env:%s:-default}", name),
		}
	case !sound(value):
		return "", fmt.Errorf("variable %s holds something that is not text", name)
	}
	return value, nil
}

func (r *resolver) file(path string) (string, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return "", hinted{"a reference names no file", "write ${file:/path}"}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.base, path)
	}
	data, err := r.read(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read file %q: %s", path, plainError(err))
	case len(data) > maxReferenced:
		return "", fmt.Errorf("file %q is larger than %d KiB", path, maxReferenced>>10)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if !sound(value) {
		return "", fmt.Errorf("file %q holds something that is not text", path)
	}
	r.took = append(r.took, path)
	return value, nil
}

// sound reports whether a value can be an argument of a program.
func sound(value string) bool { return utf8.ValidString(value) && !strings.ContainsRune(value, 0) }
