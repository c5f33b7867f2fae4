package toolscope

import (
	"fmt"
	"path"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/hopgate/hopgate/policy"
)

// Bounds of a condition.
const (
	maxCost       = 10_000 // of one evaluation, in CEL's units: about one for each step and for ten bytes of text
	maxExpression = 4096   // characters
	maxNesting    = 2      // macros over lists inside each other
	maxRegexp     = 1000   // instructions of a compiled regular expression
)

// language is what conditions are written in: CEL with its standard functions and macros, the extension strings, and
//
//	glob(pattern, text)     whether a text fits a pattern with * for any run of characters
//	path_within(path, dir)  whether a path is dir or below it, as text: a path with .. or a backslash never is
//
// Comparisons mix integers and other numbers; arithmetic does not, so write double(args.price) * 1.2. The variables are
//
//	args         arguments of the call; a missing one makes the condition fail, so guard optional ones with has(args.x)
//	tool.name    name of the tool
//	tool.task    its task type
//	agent.name   the agent
//	client.name  what the client calls itself; nobody vouches for it, so it may only narrow what others are granted
//	now          time of the call
type language struct {
	base    *cel.Env // without args
	untyped *cel.Env // args with members of any type, as long as the tool's schema is not known
}

func newLanguage() (*language, error) {
	text := []*cel.Type{cel.StringType, cel.StringType}
	base, err := cel.NewEnv(
		cel.Variable("tool.name", cel.StringType),
		cel.Variable("tool.task", cel.StringType),
		cel.Variable("agent.name", cel.StringType),
		cel.Variable("client.name", cel.StringType),
		cel.Variable("now", cel.TimestampType),
		cel.Function("glob", cel.Overload("glob_string_string", text, cel.BoolType, cel.BinaryBinding(glob))),
		cel.Function("path_within", cel.Overload("path_within_string_string", text, cel.BoolType, cel.BinaryBinding(pathWithin))),
		ext.Strings(ext.StringsVersion(5)),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.EnableIdentifierEscapeSyntax(),
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(),
			cel.ValidateComprehensionNestingLimit(maxNesting)),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the language of conditions: %w", err)
	}
	untyped, err := base.Extend(cel.Variable("args", cel.MapType(cel.StringType, cel.DynType)))
	if err != nil {
		return nil, fmt.Errorf("preparing the language of conditions: %w", err)
	}
	return &language{base: base, untyped: untyped}, nil
}

// unavailable are functions of the extension strings whose result can be far larger than what they are given, before any
// limit is looked at.
var unavailable = map[string]bool{"replace": true, "format": true}

// compile reads a condition; it returns nil for the empty one. strict says that it is for one tool, whose parameters it
// must not get wrong even in has().
func (l *language) compile(e Expr, strict bool) (*condition, policy.Complaints) {
	if e.Text == "" {
		return nil, nil
	}
	parsed, issues := l.untyped.Parse(e.Text)
	if issues.Err() != nil {
		return nil, complaints(e, issues)
	}
	c := &condition{text: e.Text, at: e.At, strict: strict, lang: l, fits: map[*definition]string{}}
	c.uses.read(parsed.NativeRep().Expr()) // before the check, which rewrites the expression
	checked, issues := l.untyped.Check(parsed)
	if issues.Err() != nil {
		return nil, complaints(e, issues)
	}
	if text := c.unsound(checked); text != "" {
		return nil, policy.Complaints{{At: e.At, Text: text}}
	}
	var err error
	if c.full, err = l.program(checked, cel.EvalOptions(cel.OptOptimize)); err != nil {
		return nil, policy.Complaints{{At: e.At, Text: "the condition cannot be planned: " + err.Error()}}
	}
	if c.partial, err = l.program(checked, cel.EvalOptions(cel.OptPartialEval)); err != nil {
		return nil, policy.Complaints{{At: e.At, Text: "the condition cannot be planned: " + err.Error()}}
	}
	return c, nil
}

func (l *language) program(checked *cel.Ast, how cel.ProgramOption) (cel.Program, error) {
	return l.untyped.Program(checked, how, cel.CostLimit(maxCost), cel.CostTracking(costs{}))
}

// unsound says what is wrong with a condition that is well-formed.
func (c *condition) unsound(checked *cel.Ast) string {
	for _, f := range c.uses.calls {
		if unavailable[f] {
			return f + " is not available in conditions"
		}
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return "the condition is of type " + t.String() + ", not true or false"
	}
	// Only the least cost can be held against a condition here: how large arguments are, nobody knows before the call.
	if estimate, err := c.lang.untyped.EstimateCost(checked, costs{}); err == nil && estimate.Min > maxCost {
		return fmt.Sprintf("the condition costs at least %d steps, more than the limit of %d", estimate.Min, maxCost)
	}
	return ""
}

// complaints translates what CEL says into places of the configuration. In a text of several lines, all have the
// indentation of the first. Of the syntax only the first error is told: the others mostly follow from it.
func complaints(e Expr, issues *cel.Issues) policy.Complaints {
	var all policy.Complaints
	for _, x := range issues.Errors() {
		at := e.At
		if at.Line > 0 {
			at.Line += max(x.Location.Line()-1, 0)
			at.Col += max(x.Location.Column(), 0)
		}
		c, syntax := syntaxError(e.Text, x)
		if !syntax {
			c.Text = x.Message
		}
		c.At = at
		if all = append(all, c); syntax {
			break
		}
	}
	return all
}

func glob(pattern, text ref.Val) ref.Val {
	p, ok1 := pattern.(types.String)
	t, ok2 := text.(types.String)
	if !ok1 || !ok2 {
		return types.MaybeNoSuchOverloadErr(text)
	}
	return types.Bool(policy.Pattern{Text: string(p)}.Match(string(t)))
}

func pathWithin(name, dir ref.Val) ref.Val {
	n, ok1 := name.(types.String)
	d, ok2 := dir.(types.String)
	if !ok1 || !ok2 {
		return types.MaybeNoSuchOverloadErr(name)
	}
	return types.Bool(within(string(n), string(d)))
}

// within compares paths as text. It knows nothing of links; therefore .. is refused even where it stays below dir.
func within(name, dir string) bool {
	if name == "" || dir == "" || strings.ContainsAny(name, "\\\x00") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return false
		}
	}
	name, dir = path.Clean(name), path.Clean(dir)
	switch {
	case path.IsAbs(name) != path.IsAbs(dir):
		return false
	case dir == "/" || dir == "." || name == dir:
		return true
	default:
		return strings.HasPrefix(name, dir+"/")
	}
}

// costs says what our own functions cost; CEL knows the others.
type costs struct{}

// CallCost returns the cost of a call that was made, or nil for functions of others.
func (costs) CallCost(function, _ string, args []ref.Val, _ ref.Val) *uint64 {
	if function != "glob" && function != "path_within" {
		return nil
	}
	steps := uint64(1)
	for _, a := range args {
		if s, ok := a.(types.String); ok {
			steps += uint64(len(s)) / 10
		}
	}
	if p, ok := args[0].(types.String); ok && function == "glob" {
		steps *= 1 + uint64(strings.Count(string(p), "*"))
	}
	return &steps
}

// EstimateSize knows no sizes.
func (costs) EstimateSize(cost.AstNode) *cost.SizeEstimate { return nil }

// EstimateCallCost returns what a call costs at least, or nil for functions of others.
func (costs) EstimateCallCost(function, _ string, _ *cost.AstNode, _ []cost.AstNode) *cost.CallEstimate {
	if function != "glob" && function != "path_within" {
		return nil
	}
	return cost.NewCallEstimate(cost.FixedCostEstimate(1), nil)
}
