// Package extest is what the tests of the examples share: it writes key files,
// and runs an example's main as a person would, in a process of its own. Its tests hold README.md to the examples.
package extest

import (
	"path/filepath"
	"testing"

	"github.com/pysock/pysock/keys"
)

// Files writes key files into a new folder, each as NAME.yaml, and returns the folder.
func Files(t testing.TB, files map[string]*keys.File) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range files {
		if err := f.Create(filepath.Join(dir, name+".yaml"), nil); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
