package configs

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// scalar decodes a scalar.
func (d *decoder) scalar(n *yaml.Node, s *shape, into reflect.Value) {
	if !d.want(n, yaml.ScalarNode, s) {
		return
	}
	typ := jsonType(n)
	if !slices.Contains(s.types, typ) && (typ != "integer" || !slices.Contains(s.types, "number")) {
		d.fail(CodeKind, n, fmt.Sprintf("found %s, expected %s", found(n), s.wants()), s.otherwise(n))
		return
	}
	switch s.kind {
	case kindExpand:
		if t, ok := d.expand(n); ok {
			into.Set(reflect.ValueOf(text{Text: t, At: d.src.pos(d.src.text(n))}).Convert(s.typ))
		}
		return
	case kindSecret:
		d.secret(n, into)
		return
	default:
	}
	formed := typ != "string" || s.form == nil || s.form.MatchString(n.Value)
	listed := s.enum == nil || slices.Contains(s.enum, n.Value)
	if d.refused(n, formed && listed) {
		return
	}
	if !listed {
		d.fail(CodeForm, n, fmt.Sprintf("%q is not %s", n.Value, s.wants()), cmp.Or(d.report.suggest(n.Value, s.enum), s.advice(n.Value)))
		return
	}
	err := s.set(n.Value, into)
	switch {
	case err != nil && formed:
		d.fail(CodeValue, n, err.Error(), hint(err))
	case err != nil:
		d.fail(CodeForm, n, err.Error(), hint(err))
	case !formed:
		d.fail(CodeForm, n, fmt.Sprintf("%q is not %s", n.Value, s.wants()), "")
	default:
		d.place(s, into, d.src.text(n))
	}
}

// otherwise says how a scalar of the wrong type would be right.
func (s *shape) otherwise(n *yaml.Node) string {
	advice := ""
	if s.kind != kindExpand && s.kind != kindSecret { // those take any text
		advice = s.advice(n.Value)
	}
	switch {
	case advice != "":
		return advice
	case slices.Contains(s.types, "string") && s.enum == nil:
		return fmt.Sprintf("to mean it as text, put it in quotes: %q", n.Value)
	default:
		return ""
	}
}

// advice is what the type of a scalar says of text that it does not take.
func (s *shape) advice(value string) string {
	if err := s.set(value, reflect.New(s.typ).Elem()); err != nil {
		return hint(err)
	}
	return ""
}

// set puts the text of a scalar into a value.
func (s *shape) set(value string, into reflect.Value) error {
	switch s.kind {
	case kindBool:
		if value != "true" && value != "false" {
			return hinted{fmt.Sprintf("%q is not true or false", value), "write true or false, in lower case and without quotes"}
		}
		into.SetBool(value == "true")
	case kindInt:
		i, err := decimal(value)
		if err != nil {
			return err
		}
		into.SetInt(int64(i))
	case kindDuration:
		t, err := ParseDuration(value)
		if err != nil {
			return err
		}
		into.SetInt(int64(t))
	case kindText:
		u, ok := reflect.TypeAssert[encoding.TextUnmarshaler](into.Addr())
		if !ok {
			return fmt.Errorf("type %s does not read text", s.typ)
		}
		return u.UnmarshalText([]byte(value))
	default:
		into.SetString(value)
	}
	return nil
}

// name decodes the key of a mapping, which is text whatever YAML takes it for.
func (d *decoder) name(n *yaml.Node, s *shape, into reflect.Value) bool {
	formed := s.form == nil || s.form.MatchString(n.Value)
	if d.refused(n, formed) {
		return false
	}
	err := s.set(n.Value, into)
	switch {
	case !formed && err == nil:
		err = fmt.Errorf("%q is not %s", n.Value, s.wants())
		fallthrough
	case !formed:
		d.fail(CodeForm, n, err.Error(), hint(err))
		return false
	case err != nil:
		d.fail(CodeValue, n, err.Error(), hint(err))
		return false
	}
	if s.enum != nil && !slices.Contains(s.enum, n.Value) {
		d.fail(CodeForm, n, fmt.Sprintf("%q is not %s", n.Value, s.wants()), d.report.suggest(n.Value, s.enum))
		return false
	}
	d.place(s, into, d.src.begin(n))
	return true
}

// secret decodes a scalar that nothing may show.
func (d *decoder) secret(n *yaml.Node, into reflect.Value) {
	d.src.mask(n)
	before := len(d.refs.took)
	t, ok := d.expand(n)
	d.secretFiles(d.refs.took[before:], d.src.pos(d.src.text(n)))
	if ok {
		into.Set(reflect.ValueOf(Secret{value: &t, literal: !references(n.Value)}))
	}
}

// expand resolves the references in a scalar.
func (d *decoder) expand(n *yaml.Node) (string, bool) {
	t, problems := d.refs.expand(n.Value)
	for _, p := range problems {
		d.report.fail(CodeReference, d.src.pos(d.src.within(n, p.offset)), d.at(), p.text, p.hint)
	}
	if strings.ContainsRune(t, 0) { // no program takes it, and no address has it
		d.fail(CodeValue, n, "the text holds a NUL character", "")
		return "", false
	}
	return t, len(problems) == 0
}

// refused reports a reference in a scalar that takes none. Where the text has not the form that is wanted, with a reference
// or without, that is a mistake of form.
func (d *decoder) refused(n *yaml.Node, formed bool) bool {
	i := strings.Index(n.Value, "${env:")
	if i < 0 {
		i = strings.Index(n.Value, "${file:")
	}
	if i < 0 {
		return false
	}
	code := CodeReference
	if !formed {
		code = CodeForm
	}
	d.report.fail(code, d.src.pos(d.src.within(n, i)), d.at(), "references are not resolved here",
		"they work in addresses, urls, commands, env, headers and paths")
	return true
}

// json decodes any mapping as JSON text.
func (d *decoder) json(n *yaml.Node, s *shape, into reflect.Value) {
	if !d.want(n, yaml.MappingNode, s) {
		return
	}
	before := d.report.raised
	raw := d.appendJSON(nil, n)
	if d.report.raised == before {
		into.Set(reflect.ValueOf(jsonObject{Raw: raw, At: d.src.start(n)}))
	}
}

func (d *decoder) appendJSON(dst []byte, n *yaml.Node) []byte {
	n, done, ok := d.follow(n)
	if !ok {
		return dst
	}
	defer done()
	switch n.Kind {
	case yaml.MappingNode:
		dst = append(dst, '{')
		seen := make(map[string]bool, len(n.Content)/2)
		for key, value := range pairs(n) {
			if seen[key.Value] {
				continue // reported already
			}
			if len(seen) > 0 {
				dst = append(dst, ',')
			}
			seen[key.Value] = true
			dst = append(appendString(dst, key.Value), ':')
			dst = d.appendJSON(dst, value)
		}
		return append(dst, '}')
	case yaml.SequenceNode:
		dst = append(dst, '[')
		for i, item := range n.Content {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = d.appendJSON(dst, item)
		}
		return append(dst, ']')
	default:
		return d.appendScalar(dst, n)
	}
}

// appendScalar writes a scalar as JSON. Numbers keep their text.
func (d *decoder) appendScalar(dst []byte, n *yaml.Node) []byte {
	var ok bool
	switch jsonType(n) {
	case "string":
		d.refused(n, true)
		return appendString(dst, n.Value)
	case "null":
		return append(dst, "null"...)
	case "boolean":
		ok = n.Value == "true" || n.Value == "false"
	default:
		ok = numberForm.MatchString(n.Value)
	}
	if !ok {
		d.fail(CodeValue, n, fmt.Sprintf("%q is not written as in JSON", n.Value),
			fmt.Sprintf("to mean it as text, put it in quotes: %q", n.Value))
		return dst
	}
	return append(dst, n.Value...)
}

// jsonType is the type that a scalar has in JSON. Dates and the like are strings. A number without a fraction is an integer,
// however it is written, because JSON Schema says so.
func jsonType(n *yaml.Node) string {
	switch n.Tag {
	case "!!int":
		return "integer"
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && f == math.Trunc(f) && !math.IsInf(f, 0) {
			return "integer"
		}
		return "number"
	case "!!bool":
		return "boolean"
	case "!!null":
		return "null"
	default:
		return "string"
	}
}

// found says what a node is.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
	}
	switch jsonType(n) {
	case "integer", "number":
		return "a number"
	case "boolean":
		return "true or false"
	case "null":
		return "no value"
	default:
		return "text"
	}
}

// wants says what a shape is written as.
func (s *shape) wants() string {
	switch s.kind {
	case kindBool:
		return "true or false"
	case kindInt:
		return "a whole number"
	case kindDuration:
		return "a duration"
	case kindList:
		return "a list"
	case kindNamed, kindMap, kindJSON:
		return "a mapping"
	case kindStruct:
		if s.scalar != nil {
			return s.scalar.shape.wants() + " or a mapping"
		}
		return "a mapping"
	default:
	}
	switch {
	case s.title != "":
		return s.title
	case len(s.enum) == 1:
		return s.enum[0]
	case len(s.enum) > 1:
		return strings.Join(s.enum[:len(s.enum)-1], ", ") + " or " + s.enum[len(s.enum)-1]
	case slices.Equal(s.types, []string{"integer"}):
		return "a whole number"
	case slices.Contains(s.types, "integer"):
		return "text or a whole number"
	default:
		return "text"
	}
}

// hinted is an error with a way out.
type hinted struct{ text, hint string }

func (h hinted) Error() string { return h.text }

// Hint is what to do about it.
func (h hinted) Hint() string { return h.hint }

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// decimal reads a whole number that no one can read otherwise: no leading zero, no other base, no underscore.
func decimal(s string) (int, error) {
	i, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(i) != s {
		return 0, hinted{fmt.Sprintf("%q is not a whole number", s), "write it in decimal, without leading zeros"}
	}
	return i, nil
}
