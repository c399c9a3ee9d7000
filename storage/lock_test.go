package storage_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/storage"
)

// childEnv makes the test binary play another process: see TestMain.
const childEnv = "SWEEP_STORAGE_TEST_CHILD"

// TestMain runs the child's part when a test started this binary again: "ROLE PATH".
func TestMain(m *testing.M) {
	role, path, ok := strings.Cut(os.Getenv(childEnv), " ")
	if !ok {
		os.Exit(m.Run())
	}
	switch role {
	case "lock":
		holdLock(path)
	case "write":
		writeForEver(path)
	case "unprivileged":
		openUnprivileged(path)
	}
	os.Exit(3)
}

// child starts the test binary in a role and returns once it has written its first line, which is returned too.
func child(t *testing.T, role, path string) (*exec.Cmd, *bufio.Reader, string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), childEnv+"="+role+" "+path)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill() // does nothing to one that has ended
		c.Wait()
	})
	r := bufio.NewReader(out)
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("the child in role %s said nothing: %v", role, err)
	}
	return c, r, strings.TrimSpace(line)
}

func holdLock(path string) {
	_, err := storage.Lock(path, storage.Holder{Study: "lr", Command: "sweep run lr.yaml", Web: "http://127.0.0.1:8080"})
	if err != nil {
		println(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString("locked\n")
	time.Sleep(time.Minute)
}

func TestLockOfAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	if _, held := storage.Held(path); held {
		t.Fatal("held before anyone took it")
	}
	c, _, _ := child(t, "lock", path)
	h, held := storage.Held(path)
	if !held || h.PID != c.Process.Pid || h.Study != "lr" || h.Command != "sweep run lr.yaml" || h.Web != "http://127.0.0.1:8080" || h.Since.IsZero() {
		t.Fatalf("held %t by %+v", held, h)
	}
	_, err := storage.Lock(path, storage.Holder{Study: "mine"})
	if !errors.Is(err, storage.ErrInUse) {
		t.Fatalf("a second holder got %v", err)
	}
	for _, part := range []string{path, `study "lr"`, "since", "sweep web", "sweep top lr", "--db", "http://127.0.0.1:8080"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %s", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %q", err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	if h, held := storage.Held(path); held {
		t.Fatalf("still held by %+v after its death", h)
	}
	l, err := storage.Lock(path, storage.Holder{Study: "mine"})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestLockUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	want := storage.Holder{PID: 7, Study: strings.Repeat("long name ", 40), Command: "sweep run", Since: start}
	l, err := storage.Lock(path, want)
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		if got, held := storage.Held(path); !held || !cmp.Equal(got, want) {
			t.Fatalf("held %t (-want +got):\n%s", held, cmp.Diff(want, got))
		}
	}
	check()
	want.Study, want.Web = "short", "http://127.0.0.1:1"
	if err := l.Update(want); err != nil {
		t.Fatal(err)
	}
	check()
	if err := errors.Join(l.Release(), l.Release()); err != nil {
		t.Fatal(err)
	}
	if err := l.Update(want); err == nil {
		t.Error("updated after release")
	}
	if _, held := storage.Held(path); held {
		t.Error("held after release")
	}
}

// A database has one lock and one folder of files, however many links lead to it.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.Mkdir(path("real"), 0o777),
		os.Symlink("real", path("folder")),
		os.Symlink("real/sweep.db", path("link.db")), // leads nowhere yet
		os.Symlink("link.db", path("link of link.db")),
	); err != nil {
		t.Fatal(err)
	}
	names := []string{"link of link.db", "link.db", "folder/sweep.db", "real/sweep.db"}
	try := func(first string) {
		t.Helper()
		l, err := storage.Lock(path(first), storage.Holder{Study: "one"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Release()
		for _, name := range names {
			if h, held := storage.Held(path(name)); !held || h.Study != "one" {
				t.Errorf("locked as %s: as %s it is held %t by %+v", first, name, held, h)
			}
			if l, err := storage.Lock(path(name), storage.Holder{}); !errors.Is(err, storage.ErrInUse) {
				t.Errorf("locked as %s, it can be locked as %s too (%v)", first, name, err)
				if err == nil {
					l.Release()
				}
			}
		}
	}
	for _, name := range names {
		try(name)
	}
	db := openDB(t, path("link of link.db"))
	s := newStudy(t, db, nil)
	model(t, db, s, 1, []byte("weights"))
	for _, name := range names {
		try := func() {
			db, err := storage.Open(t.Context(), path(name), storage.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			d, err := db.Detail(t.Context(), s.ID, 0)
			if err != nil {
				t.Fatal(err)
			}
			r, _, err := db.OpenArtifact(t.Context(), d.Artifacts[0].Digest)
			if err != nil {
				t.Errorf("opened as %s: %v", name, err)
				return
			}
			r.Close()
		}
		try()
	}
	beside, err := os.ReadDir(dir)
	if err != nil || len(beside) != 4 {
		t.Errorf("beside the links lies %v (%v)", beside, err)
	}
	circle := path("circle.db")
	if err := os.Symlink("circle.db", circle); err != nil {
		t.Fatal(err)
	}
	if l, err := storage.Lock(circle, storage.Holder{}); err == nil {
		_, err = storage.Open(t.Context(), circle, storage.Options{Write: true})
		said(t, err, "circle.db")
		l.Release()
	}
}

// Readers that ask who holds the lock never keep it from one who takes it.
func TestLockWhileOthersLook(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					storage.Held(path)
				}
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	for range 50 {
		l, err := storage.Lock(path, storage.Holder{Study: "lr"})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
	}
}
