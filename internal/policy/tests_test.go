package policy

import (
	"go/ast"
	"slices"
	"strings"
)

const leakMain = "package keys\n\nimport (\n\t\"testing\"\n\t\"go.uber.org/goleak\"\n)\n\nfunc TestMain(m *testing.M) { goleak.VerifyTestMain(m) }\n"

var testRules = []rule{
	{"no sleeping", checkSleeps, []proof{
		{"good", files{"keys/a_test.go": "package keys\n\nimport \"time\"\n\nfunc f() { <-time.After(1) }",
			"keys/a.go": "package keys\n\nimport \"time\"\n\nfunc g() { time.Sleep(1) }"}, nil},
		{"sleep", files{"keys/a_test.go": "package keys\n\nimport \"time\"\n\nfunc f() {\n\ttime.Sleep(1)\n}"},
			[]string{"keys/a_test.go:6"}},
		{"under another name", files{"keys/a_test.go": "package keys\n\nimport clock \"time\"\n\nvar nap = clock.Sleep"},
			[]string{"keys/a_test.go:5"}},
	}},
	{"no skipping", checkSkips, []proof{
		{"good", files{"keys/a_test.go": "package keys\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Fatal() }\n\nfunc f(t *decoder) { t.Skip(1) }"}, nil},
		{"skip", files{"keys/a_test.go": "package keys\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {\n\tt.Skip()\n\tt.Run(\"\", func(x *testing.T) {\n\t\tx.Skipf(\"\")\n\t})\n}\n\nfunc BenchmarkA(b *testing.B) { b.SkipNow() }\n\nfunc f(tb testing.TB) { tb.Skip() }"},
			[]string{"keys/a_test.go:12", "keys/a_test.go:14", "keys/a_test.go:6", "keys/a_test.go:8"}},
	}},
	{"goroutines are counted", checkLeakTests, []proof{
		{"good", files{"keys/a.go": "package keys\n\nfunc f() { go f() }", "keys/main_test.go": leakMain}, nil},
		{"no goroutines", files{"keys/a.go": "package keys\n\nfunc f() { f() }"}, nil},
		{"go statement", files{"keys/a.go": "package keys\n\nfunc f() {\n\tgo f()\n}"}, []string{"keys/a.go:4"}},
		{"in a test", files{"keys/a.go": "package keys", "keys/a_test.go": "package keys_test\n\nfunc f() { go f() }"},
			[]string{"keys/a_test.go:3"}},
		{"wait group", files{"keys/a.go": "package keys\n\nimport \"sync\"\n\nvar wg sync.WaitGroup\n\nfunc f() {\n\twg.Go(func() {})\n}"},
			[]string{"keys/a.go:8"}},
		{"TestMain after a folder in the package's", files{"keys/a.go": "package keys\n\nfunc f() { go f() }",
			"keys/internal/b.go": "package internal", "keys/main_test.go": leakMain}, nil},
		{"TestMain without goleak", files{"keys/a.go": "package keys\n\nfunc f() { go f() }",
			"keys/main_test.go": "package keys\n\nfunc TestMain(m *testing.M) {}"}, []string{"keys/a.go:3"}},
		{"another package's TestMain", files{"secure/a.go": "package secure\n\nfunc f() { go f() }", "keys/main_test.go": leakMain},
			[]string{"secure/a.go:3"}},
	}},
}

func checkSleeps(t *tree) []finding {
	var out []finding
	for _, s := range t.sources {
		clock := importName(s, "time")
		if !s.test || clock == "" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" && isIdent(sel.X, clock) {
				out = append(out, s.found(sel.Pos(),
					"a test does not sleep: wait for the event itself, or use testing/synctest and <-time.After in its bubble"))
			}
			return true
		})
	}
	return out
}

func checkSkips(t *tree) []finding {
	var out []finding
	for _, s := range t.sources {
		if s.test {
			out = append(out, s.skipsIn(s.file, nil)...)
		}
	}
	return out
}

// skipsIn finds the calls to a Skip method of the names in tests, which are the
// parameters of a type of package testing that are in scope at n.
func (s *source) skipsIn(n ast.Node, tests []string) []finding {
	var out []finding
	ast.Inspect(n, func(at ast.Node) bool {
		var params *ast.FuncType
		var body *ast.BlockStmt
		switch at := at.(type) {
		case *ast.FuncDecl:
			params, body = at.Type, at.Body
		case *ast.FuncLit:
			params, body = at.Type, at.Body
		case *ast.SelectorExpr:
			skips := strings.HasPrefix(at.Sel.Name, "Skip") && at.Sel.Name != "Skipped"
			if skips && slices.ContainsFunc(tests, func(name string) bool { return isIdent(at.X, name) }) {
				out = append(out, s.found(at.Pos(), "a test is not skipped: make it run here, or put it behind a build constraint"))
			}
		}
		if body == nil {
			return true
		}
		out = append(out, s.skipsIn(body, inScope(tests, params))...)
		return false
	})
	return out
}

// inScope is tests as seen in the body of a function with these parameters.
func inScope(tests []string, f *ast.FuncType) []string {
	tests = slices.Clone(tests)
	for _, field := range f.Params.List {
		t := field.Type
		if star, ok := t.(*ast.StarExpr); ok {
			t = star.X
		}
		sel, ok := t.(*ast.SelectorExpr)
		ofTesting := ok && isIdent(sel.X, "testing")
		for _, name := range field.Names {
			tests = slices.DeleteFunc(tests, func(old string) bool { return old == name.Name })
			if ofTesting {
				tests = append(tests, name.Name)
			}
		}
	}
	return tests
}

// checkLeakTests wants goleak in every package that starts goroutines, in its code or in its tests.
func checkLeakTests(t *tree) []finding {
	var out []finding
	for _, pkg := range t.packages() {
		if slices.ContainsFunc(pkg, hasLeakMain) {
			continue
		}
		for _, s := range pkg {
			if start := firstGoroutine(s.file); start != nil {
				out = append(out, s.found(start.Pos(),
					"package %s starts goroutines: give its tests a TestMain that calls goleak.VerifyTestMain", s.dir))
				break
			}
		}
	}
	return out
}

// hasLeakMain tells whether s declares TestMain and uses goleak. The call may
// be in a helper, as it must be where testscript runs the tests.
func hasLeakMain(s *source) bool {
	isMain := func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Recv == nil && f.Name.Name == "TestMain"
	}
	return s.test && slices.ContainsFunc(s.file.Decls, isMain) && importName(s, "go.uber.org/goleak") != ""
}

// firstGoroutine finds a go statement or a call such as wg.Go(f) of a sync.WaitGroup.
// Types are not known here, so any method Go with one argument counts.
func firstGoroutine(f *ast.File) ast.Node {
	var first ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			first = n
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Go" && len(n.Args) == 1 {
				first = n
			}
		}
		return first == nil
	})
	return first
}

// importName is the name under which s uses a package of the given path, or nothing.
func importName(s *source, what string) string {
	for _, imp := range s.file.Imports {
		switch {
		case importPath(imp.Path.Value) != what:
		case imp.Name != nil:
			return imp.Name.Name
		default:
			return what[strings.LastIndex(what, "/")+1:]
		}
	}
	return ""
}

func isIdent(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
