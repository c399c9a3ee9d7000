package storage_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sweep/storage"
	"sweep/study"
)

// said checks that err is one line that says each part.
func said(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	t.Log(err)
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %q", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not say %q", err, p)
		}
	}
}

// openBoth opens path for reading, then for writing, and returns both errors.
func openBoth(t *testing.T, path string) (reader, writer error) {
	t.Helper()
	db, reader := storage.Open(t.Context(), path, storage.Options{})
	if reader == nil {
		db.Close()
	}
	l, err := storage.Lock(path, storage.Holder{Study: "x"})
	if err != nil {
		return reader, err
	}
	defer l.Release()
	db, writer = storage.Open(t.Context(), path, storage.Options{Write: true})
	if writer == nil {
		db.Close()
	}
	return reader, writer
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("missing", func(t *testing.T) {
		_, err := storage.Open(t.Context(), path("none.db"), storage.Options{})
		said(t, err, "none.db", "there is no database", "sweep run SPEC", "--db")
		if _, err := os.Stat(path("none.db")); !errors.Is(err, os.ErrNotExist) {
			t.Error("a reader made the file")
		}
	})
	t.Run("missing folder", func(t *testing.T) {
		_, err := storage.Lock(path("no/such/sweep.db"), storage.Holder{})
		said(t, err, "folder does not exist", "make the folder")
	})
	t.Run("folder", func(t *testing.T) {
		if err := os.Mkdir(path("folder.db"), 0o777); err != nil {
			t.Fatal(err)
		}
		r, w := openBoth(t, path("folder.db"))
		said(t, r, "this is a folder", "--db")
		said(t, w, "cannot be opened", "--db")
	})
	t.Run("empty", func(t *testing.T) {
		write("empty.db", "")
		r, w := openBoth(t, path("empty.db"))
		said(t, r, "is empty", "sweep run SPEC")
		if w != nil {
			t.Errorf("a writer cannot begin with an empty file: %v", w)
		}
	})
	t.Run("no database", func(t *testing.T) {
		write("text.db", strings.Repeat("parameters:\n  lr: 1\n", 1000))
		r, w := openBoth(t, path("text.db"))
		said(t, r, "no database but another kind of file", "--db")
		said(t, w, "no database but another kind of file", "--db")
	})
	t.Run("another program's", func(t *testing.T) {
		execSQL(t, path("other.db"), `CREATE TABLE bookmarks (url TEXT)`)
		r, w := openBoth(t, path("other.db"))
		said(t, r, "belongs to another program", "--db")
		said(t, w, "belongs to another program", "--db")
	})
	t.Run("older Optuna", func(t *testing.T) {
		execSQL(t, path("optuna.db"), `CREATE TABLE studies (study_id INTEGER PRIMARY KEY, study_name TEXT)`,
			`CREATE TABLE alembic_version (version_num TEXT)`, `INSERT INTO alembic_version VALUES ('v3.0.0.d')`)
		_, w := openBoth(t, path("optuna.db"))
		said(t, w, "v3.0.0.d", "optuna storage upgrade")
	})
	t.Run("newer", func(t *testing.T) {
		makeDB(t, path("newer.db"))
		execSQL(t, path("newer.db"), `INSERT INTO sweep_migration (version_id, is_applied) VALUES (9999, 1)`)
		r, w := openBoth(t, path("newer.db"))
		for _, err := range []error{r, w} {
			said(t, err, "schema 9999", "newer version of sweep")
			if !errors.Is(err, storage.ErrNewer) {
				t.Errorf("%v is not ErrNewer", err)
			}
		}
	})
	t.Run("damaged", func(t *testing.T) {
		makeDB(t, path("damaged.db"))
		f, err := os.OpenFile(path("damaged.db"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(100); at+4096 < st.Size(); at += 1024 { // all but SQLite's own header
			if _, err := f.WriteAt([]byte(strings.Repeat("\xff", 512)), at); err != nil {
				t.Fatal(err)
			}
		}
		f.Close()
		r, w := openBoth(t, path("damaged.db"))
		said(t, r, "the database is damaged", "put back a copy", ".recover")
		said(t, w, "the database is damaged", "put back a copy", ".recover")
	})
	t.Run("without the lock", func(t *testing.T) {
		_, err := storage.Open(t.Context(), path("unlocked.db"), storage.Options{Write: true})
		said(t, err, "does not hold its lock")
	})
	t.Run("synchronous", func(t *testing.T) {
		_, err := storage.Open(t.Context(), path("unlocked.db"), storage.Options{Synchronous: "off"})
		said(t, err, `"off"`, "normal, full")
	})
}

// makeDB makes a database with one study at path and closes it.
func makeDB(t *testing.T, path string) {
	t.Helper()
	l, err := storage.Lock(path, storage.Holder{Study: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	db, err := storage.Open(t.Context(), path, storage.Options{Write: true, Synchronous: "full"})
	if err != nil {
		t.Fatal(err)
	}
	newStudy(t, db, nil)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Odd characters in the path are those of a file's name, not of SQLite's URI.
func TestOpenOddPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ä b?c#d%41&mode=ro")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sweep 100%.db")
	makeDB(t, path)
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	db, err := storage.Open(t.Context(), "sweep 100%.db", storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Study(t.Context(), "suite"); err != nil {
		t.Error(err)
	}
}

func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	p, err := db.Propose(t.Context(), s.ID, study.Proposal{Params: crashParams(0), Space: s.Spec.Space, Now: start})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := db.Begin(t.Context(), p.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.LimitPages(t.Context(), db); err != nil { // as if the disk ended here
		t.Fatal(err)
	}
	l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
	var points []study.Point
	stored := 0
	for i := range 5000 {
		points = append(points, study.Point{Key: "val_mse", Step: i + 1, Value: 0.5, Time: start})
		if len(points) == 50 {
			if err = db.Append(t.Context(), l, int64(i+1), points, "val_mse"); err != nil {
				break
			}
			stored, points = i+1, nil
		}
	}
	said(t, err, "the disk is full", "free space", "nothing that was committed is lost")
	trials, err := db.Trials(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(trials[0].Curve); got != stored {
		t.Errorf("%d points are there, %d were stored", got, stored)
	}
}

// openUnprivileged is a child that gives up root, which no permission stops, and says how opening went.
func openUnprivileged(path string) {
	if os.Getuid() == 0 {
		if err := unix.Setuid(65534); err != nil {
			os.Stdout.WriteString("setuid: " + err.Error() + "\n")
			os.Exit(0)
		}
	}
	_, err := storage.Lock(path, storage.Holder{})
	if err == nil {
		_, err = storage.Open(context.Background(), path, storage.Options{Write: true})
	}
	if err == nil {
		os.Stdout.WriteString("it opened\n")
		os.Exit(0)
	}
	os.Stdout.WriteString(err.Error() + "\n")
	os.Exit(0)
}

func TestReadOnlyFolder(t *testing.T) {
	for _, c := range []struct {
		name string
		lock bool // the lock's file is there and may be written
	}{
		{"nothing in it", false},
		{"lock in it", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "sweep-storage") // not t.TempDir, whose parents are closed to others
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			path := filepath.Join(dir, "sweep.db")
			if c.lock {
				if err := os.WriteFile(path+".lock", nil, 0o666); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(path+".lock", 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(dir, 0o555); err != nil {
				t.Fatal(err)
			}
			_, _, line := child(t, "unprivileged", path)
			said(t, errors.New(line), path, "the database cannot be", "--db")
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		})
	}
}
