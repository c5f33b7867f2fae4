package toolscope

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/hopgate/hopgate/mcpproxy/wire"
	"github.com/hopgate/hopgate/policy"
)

// condition is one compiled `when`. It may be used by many goroutines once settle was called.
type condition struct {
	text    string
	at      policy.Pos
	strict  bool
	lang    *language
	uses    usage
	full    cel.Program // with all variables known
	partial cel.Program // with some unknown

	never bool // it holds for no call of the connection's agent

	mu   sync.RWMutex
	fits map[*definition]string // what is wrong with it for a tool, empty for nothing; guarded by mu
}

// variables are what a condition can see. It implements [interpreter.Activation].
type variables struct {
	agent, tool, task, client string
	now                       time.Time
	args                      map[string]any
}

// ResolveName returns the value of a variable.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "args":
		return v.args, true
	case "tool.name":
		return v.tool, true
	case "tool.task":
		return v.task, true
	case "agent.name":
		return v.agent, true
	case "client.name":
		return v.client, true
	case "now":
		return v.now, true
	default:
		return nil, false
	}
}

// Parent returns nil: there are no other variables.
func (*variables) Parent() interpreter.Activation { return nil }

// holds evaluates the condition on a call of tools/call. failure says, without content, why that was not possible.
func (c *condition) holds(agent string, call *policy.Call) (ok bool, failure string) {
	args, err := arguments(call.Frame.Get(wire.ParamsArguments), c.uses.wants)
	if err != nil {
		return false, err.Error()
	}
	out, _, err := c.full.Eval(&variables{
		agent: agent, tool: call.Target, task: call.Task, client: call.Origin.Client, now: call.Time, args: args,
	})
	if err != nil {
		return false, failureText(err)
	}
	b, isBool := out.(types.Bool)
	if !isBool {
		return false, "the condition is neither true nor false"
	}
	return bool(b), ""
}

// failureText names the kind of an error. The error itself may quote arguments.
func failureText(err error) string {
	var cancelled interpreter.EvalCancelledError
	switch text := err.Error(); {
	case errors.As(err, &cancelled):
		return "the condition exceeds its cost limit"
	case strings.HasPrefix(text, "no such key"):
		return "an argument that the condition needs is missing"
	case strings.HasPrefix(text, "no such overload"):
		return "an argument is of another type than the condition needs"
	default:
		return "the condition failed"
	}
}

// settle finds out whether the condition can hold at all, where that does not depend on the tool.
func (c *condition) settle(agent string) {
	c.never = !c.uses.tool && c.folds(agent, "", "")
}

// hopeless reports whether the condition holds for no call of a tool.
func (c *condition) hopeless(agent, tool, task string) bool {
	return c.never || c.uses.tool && c.folds(agent, tool, task)
}

// folds evaluates what is known before a call: not its arguments, its time or its client. It reports whether the
// condition is false, or fails, whatever those are.
func (c *condition) folds(agent, tool, task string) bool {
	vars, err := cel.PartialVars(&variables{agent: agent, tool: tool, task: task},
		cel.AttributePattern("args"), cel.AttributePattern("client.name"), cel.AttributePattern("now"))
	if err != nil {
		return true
	}
	out, _, err := c.partial.Eval(vars)
	if err != nil {
		return true
	}
	return !types.IsUnknown(out) && out != types.True
}

// maxFits bounds what a condition remembers of definitions. An upstream that changes its schemas all the time costs the
// others a second look.
const maxFits = 2 * maxTools

// misfit says what is wrong with the condition for the input schema of a tool, or nothing.
func (c *condition) misfit(def *definition, tool string) string {
	c.mu.RLock()
	text, known := c.fits[def]
	c.mu.RUnlock()
	if known {
		return text
	}
	text = c.typecheck(def, tool)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.fits) >= maxFits {
		clear(c.fits)
	}
	c.fits[def] = text
	return text
}

// typecheck checks the condition with the types that the schema gives to the arguments. It is evaluated without them,
// because no schema makes an agent send what it says.
func (c *condition) typecheck(def *definition, tool string) string {
	shapes := newShapes(c.lang.base.CELTypeProvider(), &c.uses, c.strict)
	root := shapes.of(def.schema, "args")
	env, err := c.lang.base.Extend(cel.CustomTypeProvider(shapes), cel.Variable("args", root))
	if err != nil {
		return "the input schema cannot be read as types"
	}
	_, issues := env.Compile(c.text)
	if issues.Err() == nil {
		return ""
	}
	first := issues.Errors()[0]
	name, ok := strings.CutPrefix(first.Message, "undefined field '")
	if !ok {
		return "when does not fit the input schema: " + first.Message
	}
	return shapes.unknown(strings.TrimSuffix(name, "'"), tool)
}

// unknown says that a tool has no such parameter.
func (s *shapes) unknown(name, tool string) string {
	text := fmt.Sprintf("%q is not a parameter of %s", name, tool)
	if near := policy.Nearest(name, s.missed[name]); near != "" {
		text += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return text
}
