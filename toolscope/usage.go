package toolscope

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
)

// usage is what a condition does with its variables, as its text shows.
type usage struct {
	// wants are the arguments that are looked at. nil means all of them.
	wants []string
	whole bool                // args is used as a value, not only through its members
	bare  map[string]struct{} // paths like args.filter that are used as values
	has   map[string]struct{} // names of members that has() asks for
	tool  bool                // the tool is looked at
	calls []string            // functions and operators
}

// read reads a parsed expression. A macro's variable may carry the name of a variable of ours; what is noted is then too
// much, and never too little.
func (u *usage) read(root ast.Expr) {
	u.wants = []string{}
	u.bare, u.has = map[string]struct{}{}, map[string]struct{}{}
	u.visit(root)
	if u.whole {
		u.wants = nil
	}
}

func (u *usage) visit(e ast.Expr) {
	if path, top, ok := chain(e); ok {
		u.chain(e, path, top)
		return
	}
	switch e.Kind() {
	case ast.IdentKind:
		u.tool = u.tool || variable(e) == "tool"
	case ast.SelectKind:
		u.visit(e.AsSelect().Operand())
	case ast.CallKind:
		call := e.AsCall()
		u.calls = append(u.calls, call.FunctionName())
		if call.IsMemberFunction() {
			u.visit(call.Target())
		}
		u.all(call.Args())
	case ast.ListKind:
		u.all(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			u.visit(entry.AsMapEntry().Key())
			u.visit(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		for _, f := range e.AsStruct().Fields() {
			u.visit(f.AsStructField().Value())
		}
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		u.all([]ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()})
	default:
	}
}

func (u *usage) all(list []ast.Expr) {
	for _, e := range list {
		u.visit(e)
	}
}

// chain notes the use of args or of something below it.
func (u *usage) chain(e ast.Expr, path, top string) {
	switch {
	case top == "":
		u.whole = true
	case !slices.Contains(u.wants, top):
		u.wants = append(u.wants, top)
	}
	if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
		u.has[e.AsSelect().FieldName()] = struct{}{}
		return
	}
	u.bare[path] = struct{}{}
}

// chain reads args, args.x, args.x.y and so on. top is the argument, empty for args itself.
func chain(e ast.Expr) (path, top string, ok bool) {
	switch e.Kind() {
	case ast.IdentKind:
		return "args", "", variable(e) == "args"
	case ast.SelectKind:
		s := e.AsSelect()
		path, top, ok = chain(s.Operand())
		if top == "" {
			top = s.FieldName()
		}
		return path + "." + s.FieldName(), top, ok
	default:
		return "", "", false
	}
}

// variable returns the name of an identifier, which may begin with a dot: that one means no macro's variable.
func variable(ident ast.Expr) string { return strings.TrimPrefix(ident.AsIdent(), ".") }
