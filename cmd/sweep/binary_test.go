package main_test

import (
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

var build = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(binDir, "sweep")
	out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput()
	return string(out), err
})

// binDir is where TestMain has the binary built.
var binDir string

// buildSweep builds the command once for all tests of the package.
func buildSweep(t *testing.T) string {
	t.Helper()
	if out, err := build(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(binDir, "sweep")
}
