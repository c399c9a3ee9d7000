package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExportInto exports into the folder that the user stands in, empty at first and then the bundle itself: both
// work. (An export that cannot be recorded in the database fails.)
func TestExportInto(t *testing.T) {
	p := newPlace(t)
	p.must("run", p.file("tiny.yaml", tiny))
	inside := p
	inside.dir = filepath.Join(p.dir, "bundle")
	if err := os.Mkdir(inside.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	db := filepath.Join(p.dir, "sweep.db")
	inside.must("export", "tiny", "-o", ".", "--db", db)
	if out := inside.must("verify", "."); !strings.Contains(out, "all 10000 test images: test_ssim") {
		t.Errorf("verify says %q", out)
	}
	inside.must("export", "tiny", "-o", ".", "--db", db)
	if _, err := os.Stat(filepath.Join(inside.dir, "MANIFEST.json")); err != nil {
		t.Error(err)
	}
}
