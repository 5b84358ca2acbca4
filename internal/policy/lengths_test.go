package policy

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// What may be longer only with a reason, in lines. The reason is a comment line
// that starts with lengthMark: in a comment that begins within the first
// headLines of the file, or in the doc comment of the function.
const (
	maxFileLines = 400
	maxFuncLines = 80
	headLines    = 40
	lengthMark   = "Length: "
)

var (
	longBody = strings.Repeat("\tprintln()\n", maxFuncLines-1)
	longTail = strings.Repeat("// x\n", maxFileLines)
)

var lengthRules = []rule{
	{"length of files", checkFileLength, []proof{
		{"short", files{"keys/a.go": "package keys\n"}, nil},
		{"at the limit", files{"keys/a.go": "package keys\n" + longTail[len("// x\n"):]}, nil},
		{"with a reason", files{"keys/a.go": "package keys\n\n// Length: one table that is read as a whole.\n\n" + longTail}, nil},
		{"too long", files{"keys/a_test.go": "package keys\n" + longTail}, []string{"keys/a_test.go:401"}},
		{"without the reason itself", files{"keys/a.go": "// Length: long\npackage keys\n" + longTail}, []string{"keys/a.go:402"}},
		{"reason too far down", files{"keys/a.go": "package keys\n" + strings.Repeat("\n", headLines) +
			"// Length: one table that is read as a whole.\n\n" + longTail}, []string{"keys/a.go:443"}},
	}},
	{"length of functions", checkFuncLength, []proof{
		{"at the limit", files{"keys/a.go": "package keys\n\nfunc f() {\n" + longBody[len("\tprintln()\n"):] + "}\n"}, nil},
		{"with a reason", files{"keys/a.go": "package keys\n\n// f does it.\n//\n// Length: one switch over all the frames.\nfunc f() {\n" +
			longBody + "}\n"}, nil},
		{"too long", files{"keys/a_test.go": "package keys\n\n// f does it.\nfunc f() {\n" + longBody + "}\n"},
			[]string{"keys/a_test.go:4"}},
	}},
}

func checkFileLength(t *tree) []finding {
	var out []finding
	for _, s := range t.sources {
		n := strings.Count(strings.TrimSuffix(s.text, "\n"), "\n") + 1
		atHead := func(c *ast.CommentGroup) bool { return s.line(c.Pos()) <= headLines && hasReason(c) }
		if n > maxFileLines && !slices.ContainsFunc(s.file.Comments, atHead) {
			// The file's last line, which is where the length is seen.
			last := s.fset.File(s.file.FileStart).LineStart(n)
			out = append(out, s.found(last, "the file is longer than %d lines: split it by subject, or say near its top // %sand why",
				maxFileLines, lengthMark))
		}
	}
	return out
}

func checkFuncLength(t *tree) []finding {
	var out []finding
	for _, s := range t.sources {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.line(f.End()-token.Pos(1)) - s.line(f.Type.Func) + 1; n > maxFuncLines && !hasReason(f.Doc) {
				out = append(out, s.found(f.Type.Func, "%s has %d lines, more than %d: split it, or end its doc comment with // %sand why",
					f.Name.Name, n, maxFuncLines, lengthMark))
			}
		}
	}
	return out
}

// hasReason tells whether a line of the comment gives a reason for a length, in three words or more.
func hasReason(c *ast.CommentGroup) bool {
	for line := range strings.Lines(c.Text()) {
		if reason, ok := strings.CutPrefix(line, lengthMark); ok && len(strings.Fields(reason)) >= 3 {
			return true
		}
	}
	return false
}
