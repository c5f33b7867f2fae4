package configs

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"

	"go.yaml.in/yaml/v4"

	"github.com/hopgate/hopgate/policy"
)

// Options is what a configuration needs from outside. The zero Options has no gates, no variables and no files.
type Options struct {
	// Gates are asked in this order. A gate that a connection does not configure, and that then says nothing, is left out.
	Gates []policy.Spec
	// Env looks up a variable; nil: none is set.
	Env func(name string) (string, bool)
	// ReadFile reads the configuration and the files that it refers to; nil: none can be read.
	ReadFile func(path string) ([]byte, error)
}

// Load reads the configuration at a path. The error is [Diagnostics] where the file is at fault, and anything else where a
// gate is described wrongly. Relative paths in the file are relative to its folder.
func Load(path string, o Options) (*File, error) {
	o = o.withDefaults()
	data, err := o.ReadFile(path)
	if err != nil {
		r := newReport(newSource(path, nil))
		r.fail(CodeUnreadable, policy.Pos{}, "", "cannot read the configuration: "+plainError(err), firstFile(err))
		return nil, r.finish()
	}
	return Parse(path, data, o)
}

// firstFile says what to do where there is no file.
func firstFile(err error) string {
	if !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return "name it with --config, or write a first one: hopgate init"
}

// Parse is [Load] for a configuration that was read already. data must not change afterwards.
func Parse(path string, data []byte, o Options) (*File, error) {
	o = o.withDefaults()
	lang, err := language(o.Gates)
	if err != nil {
		return nil, fmt.Errorf("describing the configuration: %w", err)
	}
	src := newSource(path, data[:min(len(data), maxSource)])
	r := newReport(src)
	root := readRoot(src, data, r)
	if root == nil {
		return nil, r.finish()
	}
	// Absolute, because a program that is named ./x must not be looked for in PATH or in the server's folder.
	base, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("finding the folder of %q: %w", path, err)
	}
	refs := &resolver{base: base, env: o.Env, read: o.ReadFile}
	d := newDecoder(src, r, refs, o.Gates)
	d.inherit = defaultConnection(root)
	var doc document
	d.value(root, lang, reflect.ValueOf(&doc).Elem())

	sum := sha256.Sum256(data)
	c := &compiler{report: r, gates: o.Gates, base: refs.base, broken: d.broken, spoiled: d.spoiled, said: map[Named]bool{}, file: &File{
		Path: path, Source: data, Revision: hex.EncodeToString(sum[:]),
		agents: map[string]*Agent{}, upstreams: map[string]*Upstream{}, connections: map[pair]*policy.Connection{},
	}}
	c.file.Settings = doc.Gates
	c.compile(&doc)
	for _, n := range d.files {
		c.named(n.As, n.Path, n.At)
	}
	found := r.finish()
	if r.raised > 0 {
		return nil, found
	}
	c.file.Warnings, c.file.src = found, src.bare()
	return c.file, nil
}

func (o Options) withDefaults() Options {
	if o.Env == nil {
		o.Env = func(string) (string, bool) { return "", false }
	}
	if o.ReadFile == nil {
		o.ReadFile = func(path string) ([]byte, error) { return nil, fmt.Errorf("reading %q: no files are available", path) }
	}
	return o
}

// readRoot reads bytes to the root of a tree that the decoder can trust, or reports why there is none.
func readRoot(src *source, data []byte, r *report) *yaml.Node {
	if len(data) > maxSource {
		r.fail(CodeUnreadable, policy.Pos{}, "", fmt.Sprintf("the file is larger than %d MiB", maxSource>>20), "")
		return nil
	}
	if !src.check(r) {
		src.blind = true
		return nil
	}
	root := src.parse(data, r)
	if root == nil {
		src.blind = true
		return nil
	}
	src.walk(root, "", r)
	return root
}

// defaultConnection finds the mapping at defaults.connection, or returns nil.
func defaultConnection(root *yaml.Node) *yaml.Node {
	n := root
	for _, key := range []string{"defaults", "connection"} {
		n = valueOf(n, key)
		if n == nil {
			return nil
		}
	}
	return n
}

// valueOf returns the mapping under a key of a mapping, or nil.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	for k, v := range pairs(n) {
		if v.Kind == yaml.AliasNode && v.Alias != nil {
			v = v.Alias
		}
		if k.Value == key && n.Kind == yaml.MappingNode && v.Kind == yaml.MappingNode {
			return v
		}
	}
	return nil
}
