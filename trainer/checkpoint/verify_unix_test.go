//go:build unix

package checkpoint_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sweep/study/studytest"
	"sweep/trainer/checkpoint"
)

// A bundle that came from someone else may hold anything under its names. None of it is followed or waited for.
func TestVerifyReadsRegularFilesOnly(t *testing.T) {
	good := filepath.Join(t.TempDir(), "best")
	exported(t, good, bundle(t, "sigmoid"))
	for _, name := range []string{"curves.svg", "model.onnx", "MANIFEST.json"} {
		for what, put := range map[string]func(path string) error{
			"a link to the same bytes": func(path string) error { return os.Symlink(filepath.Join(good, name), path) },
			"a link to a device":       func(path string) error { return os.Symlink("/dev/zero", path) },
			"a pipe":                   func(path string) error { return syscall.Mkfifo(path, 0o644) },
			"a folder":                 func(path string) error { return os.Mkdir(path, 0o755) },
		} {
			t.Run(name+" is "+what, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "copy")
				must(t, os.CopyFS(dir, os.DirFS(good)))
				path := filepath.Join(dir, name)
				must(t, os.Remove(path))
				must(t, put(path))
				done := make(chan error, 1)
				go func() {
					_, err := checkpoint.Verify(t.Context(), dir, openShapes)
					done <- err
				}()
				select {
				case err := <-done:
					if err == nil || !strings.Contains(err.Error(), name+" is no regular file") {
						t.Errorf("error %v", err)
					}
				case <-time.After(20 * time.Second):
					t.Fatal("it is still reading")
				}
			})
		}
	}
}

// A file of the wrong size is not read: here one of 4 TiB, which takes no room on the disk.
func TestVerifyComparesTheSizeFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "best")
	exported(t, dir, bundle(t, "sigmoid"))
	if err := os.Truncate(filepath.Join(dir, "curves.svg"), 4<<40); err != nil {
		studytest.LeaveOut(t, "no file of that size here: %v", err)
	}
	begin := time.Now()
	_, err := checkpoint.Verify(t.Context(), dir, openShapes)
	if err == nil || !strings.Contains(err.Error(), "curves.svg has 4398046511104 bytes") || time.Since(begin) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
}
