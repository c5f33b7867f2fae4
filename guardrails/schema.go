package guardrails

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// maxSchemas bounds what is remembered of output schemas, in bytes. Where upstreams have more, what was seen before is
// forgotten.
const maxSchemas = 16 << 20

// schemas remembers the output schemas of tools as they were last listed, because a result must satisfy its tool's schema
// after a redaction as well (MCP 2025-06-18, tools: output schema). It may be used by many goroutines.
type schemas struct {
	mu    sync.Mutex                    // guards what follows, not what is in the schemas
	tools map[string]map[string]*schema // by upstream and tool
	last  map[string]*wire.Mark         // of the lists that were learned last, by upstream
	bytes int
}

// schema is one tool's output schema, compiled when it is first needed.
type schema struct {
	raw  []byte
	once sync.Once
	code *jsonschema.Schema
	err  error
}

func newSchemas() *schemas {
	return &schemas{tools: map[string]map[string]*schema{}, last: map[string]*wire.Mark{}}
}

// learn takes over the output schemas of a page of a tools/list result. It keeps nothing of its arguments.
func (s *schemas) learn(upstream string, result *wire.Frame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if result.Mark != nil && s.last[upstream] == result.Mark {
		return
	}
	s.last[upstream] = result.Mark
	for _, tool := range wire.Elements(result.Get(wire.ResultTools)) {
		name, _ := wire.Lookup(tool, "name")
		text, ok := wire.Unquote(name.Value)
		if !ok {
			continue
		}
		output, _ := wire.Lookup(tool, "outputSchema")
		if x := s.tools[upstream][string(text)]; x == nil && output.Value != nil || x != nil && !bytes.Equal(x.raw, output.Value) {
			s.set(upstream, string(text), output.Value)
		}
	}
}

// set puts a schema in the place of the one before; nil is none.
func (s *schemas) set(upstream, tool string, raw []byte) {
	if old := s.tools[upstream][tool]; old != nil {
		s.bytes -= len(tool) + len(old.raw)
		delete(s.tools[upstream], tool)
	}
	if raw == nil {
		return
	}
	size := len(tool) + len(raw)
	if s.bytes+size > maxSchemas {
		clear(s.tools)
		clear(s.last)
		s.bytes = 0
	}
	if s.tools[upstream] == nil {
		s.tools[upstream] = map[string]*schema{}
	}
	s.bytes += size
	s.tools[upstream][tool] = &schema{raw: bytes.Clone(raw)}
}

// satisfied reports whether a structured result satisfies its tool's schema. It does where the tool has none. A schema that
// cannot be read is satisfied by nothing.
func (s *schemas) satisfied(upstream, tool string, structured []byte) bool {
	s.mu.Lock()
	x := s.tools[upstream][tool]
	s.mu.Unlock()
	if x == nil {
		return true
	}
	x.once.Do(x.compile)
	if x.err != nil {
		return false
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(structured))
	return err == nil && x.code.Validate(v) == nil
}

func (x *schema) compile() {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(x.raw))
	if err != nil {
		x.err = fmt.Errorf("reading an output schema: %w", err)
		return
	}
	const here = "hopgate:output"
	c := jsonschema.NewCompiler()
	c.UseLoader(nowhere{})
	if x.err = c.AddResource(here, doc); x.err == nil {
		x.code, x.err = c.Compile(here)
	}
}

// nowhere loads no schemas: a server must not make us read files or call addresses.
type nowhere struct{}

var errElsewhere = errors.New("the schema refers to something outside of it")

func (nowhere) Load(string) (any, error) { return nil, errElsewhere }
