// Package policy holds the house rules that a machine can check, as tests over
// the module's own source. It has no code of its own.
//
// A rule is a function from a parsed tree to findings, each of which names a
// file and a line and says what to do. [rule] also carries small snippets that
// the rule must pass and must catch, so a rule that can no longer fail is a
// failing test. The same function then runs over the whole module.
//
// To add a rule, write it beside its kind (imports, docs, tests, lengths,
// dependencies), give it a good and a bad proof, and list it in rules. To
// place a new package, add a line to the table in imports_test.go; the table
// is the import DAG of the design.
package policy
