package keys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// FuzzParse checks that whatever parses can be written, and reads the same again.
func FuzzParse(f *testing.F) {
	for _, folder := range []string{goodFiles, badFiles} {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			f.Fatal(folder, err)
		}
		for _, path := range files {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := Parse("f", data, &LoadOptions{PublicOnly: true})
		if err != nil {
			var fe *FileError
			if !errors.As(err, &fe) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		text, err := got.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("f", text, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !got.sameContent(again) {
			t.Fatalf("%+v reads as %+v", got, again)
		}
	})
}
