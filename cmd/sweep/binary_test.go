package main_test

import (
	"bufio"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var build = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(binDir, "sweep")
	out, err := exec.Command("go", "build", "-tags", buildTags, "-o", bin, ".").CombinedOutput()
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

// waitFor starts a command and returns once it has said a word on stderr; the rest of its talk is read and dropped.
func waitFor(t *testing.T, c *exec.Cmd, word string) {
	t.Helper()
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() }) //nolint:errcheck // it has usually ended
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), word) {
			go io.Copy(io.Discard, stderr) //nolint:errcheck // ends with the process, whose Wait closes the pipe
			return
		}
	}
	t.Fatalf("%v ended without saying %q", c.Args, word)
}
