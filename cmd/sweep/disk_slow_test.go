//go:build slow

package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sweep/study/studytest"
)

// TestSlowFullDisk runs a sweep on a disk that ends during it: one clear line, exit 1; given room, the same command
// finishes, and the table is that of a run that had room from the start.
func TestSlowFullDisk(t *testing.T) {
	p := newPlace(t)
	spec := p.file("full.yaml", strings.NewReplacer("run_cap: 2", "run_cap: 8", "latent:  {values: [4, 8]}", "latent:  {values: [32, 64]}").Replace(tiny))
	p.must("run", spec, "--db", "calm.db")

	disk := filepath.Join(p.dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	mount := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			studytest.LeaveOut(t, "a small disk cannot be mounted here (it takes root): mount %v: %v\n%s", args, err, out)
		}
	}
	mount("-t", "tmpfs", "-o", "size=1500k", "tmpfs", disk)
	t.Cleanup(func() { exec.Command("umount", "-l", disk).Run() }) //nolint:errcheck // the folder is temporary

	_, stderr, code := p.sweep("run", spec, "--db", "disk/full.db")
	if code != 1 || !strings.Contains(stderr, "the disk is full") {
		t.Fatalf("on a full disk: exit %d\n%s", code, stderr)
	}
	last := strings.Split(strings.TrimSpace(stderr), "\n")
	if n := strings.Count(stderr, "disk is full"); n != 1 || !strings.HasPrefix(last[len(last)-1], "sweep: ") {
		t.Errorf("the full disk is told %d times, at last as %q", n, last[len(last)-1])
	}
	mount("-o", fmt.Sprintf("remount,size=%dk", 64<<10), disk)
	p.must("run", spec, "--db", "disk/full.db")
	calm, full := p.must("top", "tiny", "-n", "0", "--json", "--db", "calm.db"), p.must("top", "tiny", "-n", "0", "--json", "--db", "disk/full.db")
	if a, b := withoutAttempts(t, calm), withoutAttempts(t, full); a != b {
		t.Errorf("with room:\n%s\nwithout:\n%s", a, b)
	}
}
