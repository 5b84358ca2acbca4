package policy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

var docRules = []rule{
	{"doc comments", checkDocs, []proof{
		{"documented", files{"keys/a.go": `package keys

// A Key is one.
type Key struct {
	// Name is shown to people.
	Name string
	Size int // in bytes
	note string
	Other
}

// Open opens it.
func (k *Key) Open() {}

// Limits of a key.
const (
	Min = 1
	Max = 2
)

// The Zero key.
var Zero Key

type hidden struct{ Name string }

func (hidden) Exported() {}
`}, nil},
		{"tests are free", files{"keys/a_test.go": "package keys\n\nfunc TestX() {}"}, nil},
		{"func", files{"keys/a.go": "package keys\n\nfunc Open() {}"}, []string{"keys/a.go:3"}},
		{"method", files{"keys/a.go": "package keys\n\ntype key[T any] struct{}\n\n// Key is one.\ntype Key[T any] struct{}\n\nfunc (*Key[T]) Open() {}\nfunc (key[T]) Open() {}"}, []string{"keys/a.go:8"}},
		{"type", files{"keys/a.go": "package keys\n\ntype Key int"}, []string{"keys/a.go:3"}},
		{"wrong start", files{"keys/a.go": "package keys\n\n// This opens it.\nfunc Open() {}\n\n// Holds a key.\ntype Key int\n\n// At most.\nconst Max = 1"}, []string{"keys/a.go:10", "keys/a.go:4", "keys/a.go:7"}},
		{"const and var", files{"keys/a.go": "package keys\n\nconst Max = 1\n\nvar (\n\tErrA = 1\n\t// ErrB is b.\n\tErrB = 2\n)"},
			[]string{"keys/a.go:3", "keys/a.go:6"}},
		{"field", files{"keys/a.go": "package keys\n\n// Key is one.\ntype Key struct {\n\tName string\n\tIn struct {\n\t\tSize int\n\t} // of it\n}"}, []string{"keys/a.go:5", "keys/a.go:7"}},
		{"interface method", files{"keys/a.go": "package keys\n\n// Key is one.\ntype Key interface {\n\tOpen()\n}"},
			[]string{"keys/a.go:5"}},
		{"a directive is no comment", files{"keys/a.go": "package keys\n\n//go:noinline\nfunc Open() {}"}, []string{"keys/a.go:4"}},
	}},
}

// checkDocs wants a comment on every exported name, which starts with the name
// as godoc and search tools expect.
func checkDocs(t *tree) []finding {
	var out []finding
	for _, s := range t.sources {
		if s.test {
			continue
		}
		for _, decl := range s.file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					out = append(out, s.startsWith(d.Doc, d.Name)...)
				}
			case *ast.GenDecl:
				out = append(out, s.checkGroup(d)...)
			}
		}
	}
	return out
}

// checkGroup judges one const, var or type declaration. In a parenthesised
// group of values a comment on the group or on the line is enough.
func (s *source) checkGroup(d *ast.GenDecl) []finding {
	var out []finding
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if !spec.Name.IsExported() {
				continue
			}
			doc := spec.Doc
			if doc == nil && !d.Lparen.IsValid() {
				doc = d.Doc
			}
			out = append(out, s.startsWith(doc, spec.Name)...)
			out = append(out, s.checkMembers(spec.Name.Name, spec.Type)...)
		case *ast.ValueSpec:
			names := slices.DeleteFunc(slices.Clone(spec.Names), func(n *ast.Ident) bool { return !n.IsExported() })
			switch {
			case len(names) == 0:
			case !d.Lparen.IsValid():
				out = append(out, s.startsWith(d.Doc, names...)...)
			case d.Doc.Text() == "" && spec.Doc.Text() == "" && spec.Comment.Text() == "":
				out = append(out, s.found(spec.Pos(), "say what %s is, above it, behind it or above its group", names[0].Name))
			}
		}
	}
	return out
}

// checkMembers wants a comment on each exported field and interface method of
// what. Embedded types are documented where they are declared.
func (s *source) checkMembers(what string, t ast.Expr) []finding {
	var list *ast.FieldList
	switch t := t.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return nil
	}
	var out []finding
	for _, f := range list.List {
		if len(f.Names) == 0 || !slices.ContainsFunc(f.Names, (*ast.Ident).IsExported) {
			continue
		}
		if f.Doc.Text() == "" && f.Comment.Text() == "" {
			out = append(out, s.found(f.Pos(), "say what %s.%s is: unit, limit, meaning of zero, owner", what, f.Names[0].Name))
		}
		out = append(out, s.checkMembers(what+"."+f.Names[0].Name, f.Type)...)
	}
	return out
}

// startsWith wants doc to begin with one of names, an article before it or not.
func (s *source) startsWith(doc *ast.CommentGroup, names ...*ast.Ident) []finding {
	name, pos := names[0].Name, names[0].Pos()
	words := strings.Fields(doc.Text())
	if len(words) == 0 {
		return []finding{s.found(pos, "%s is exported and has no doc comment: give it one that starts with its name", name)}
	}
	if len(words) > 1 && slices.Contains([]string{"A", "An", "The"}, words[0]) {
		words = words[1:]
	}
	first := strings.TrimRight(words[0], ".,:;")
	if !slices.ContainsFunc(names, func(n *ast.Ident) bool { return n.Name == strings.TrimSuffix(first, "'s") }) {
		return []finding{s.found(pos, "the doc comment of %s starts with %q: start it with the name", name, words[0])}
	}
	return nil
}

// receiver is the name of the type that d is a method of.
func receiver(d *ast.FuncDecl) string {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return token.ILLEGAL.String()
		}
	}
}
