package storage

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// syncs are the names that were synced, in order; temporary names without their number.
type syncs []string

func (s *syncs) files(dir string, fail func(name string) bool) files {
	f := newFiles(dir)
	f.fsync = func(file *os.File) error {
		name, err := filepath.Rel(dir, file.Name())
		if err != nil {
			return err
		}
		name, _, _ = strings.Cut(name, ".tmp-")
		if *s = append(*s, name); fail != nil && fail(name) {
			return errors.New("the disk is on fire")
		}
		return file.Sync()
	}
	return f
}

// Files of one commit are synced before they get their names, and each folder once.
func TestPutSyncs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var got syncs
	f := got.files(dir, nil)
	var blobs []blob
	for _, digest := range []string{"aa01", "aa02", "bb03"} {
		blobs = append(blobs, blob{digest, []byte(digest)})
	}
	if err := f.put(blobs...); err != nil {
		t.Fatal(err)
	}
	if want := []string{"aa/01", "aa/02", "bb/03"}; len(got) < 3 || !slices.Equal(got[:3], want) {
		t.Fatalf("synced %v, want %v first", got, want)
	}
	folders := got[3:]
	slices.Sort(folders)
	if want := []string{".", "aa", "bb"}; !slices.Equal(folders, want) {
		t.Errorf("folders synced: %v, want %v", folders, want)
	}
	for _, b := range blobs {
		if body, err := os.ReadFile(filepath.Join(dir, place(b.digest))); err != nil || string(body) != b.digest {
			t.Errorf("%s holds %q (%v)", b.digest, body, err)
		}
	}
}

// A file that cannot be synced gets no name, nor do those beside it, and nothing stays behind.
func TestPutFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	var got syncs
	f := got.files(dir, func(name string) bool { return name == "aa/02" })
	if err := f.put(blob{"aa01", []byte("one")}, blob{"aa02", []byte("two")}); err == nil {
		t.Fatal("no error")
	}
	left, err := os.ReadDir(filepath.Join(dir, "aa"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// What lies there under a digest and is not it is replaced.
func TestPutReplacesDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	f := newFiles(dir)
	b := blob{digestOf([]byte("weights")), []byte("weights")}
	if err := f.put(b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, place(b.digest))
	if err := os.WriteFile(file, []byte("we1ghts"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := f.put(b); err != nil {
		t.Fatal(err)
	}
	if body, err := os.ReadFile(file); err != nil || string(body) != "weights" {
		t.Errorf("it holds %q (%v)", body, err)
	}
}
