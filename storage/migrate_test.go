package storage_test

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/mattn/go-sqlite3"

	"sweep/storage"
	"sweep/study"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Every schema there ever was opens, is brought up to date, and says the same. Each has a dump in testdata; see
// DESIGN.md for how to add one.
func TestEarlierSchemas(t *testing.T) {
	dumps, err := filepath.Glob("testdata/schema-*.sql")
	if err != nil {
		t.Fatal(err)
	}
	migrations, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if len(dumps) != len(migrations) {
		t.Errorf("%d migrations and %d dumps in testdata: each schema needs one", len(migrations), len(dumps))
	}
	for i, dump := range dumps {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sweep.db")
			execSQL(t, path, readAll(t, dump))
			db, err := storage.Open(t.Context(), path, storage.Options{}) // even a reader brings it up to date
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			var wantCopies []string
			if i+1 < len(dumps) {
				wantCopies = []string{fmt.Sprintf(".before-%04d", i+2)}
			}
			if d := cmp.Diff(wantCopies, copies(t, path)); d != "" {
				t.Errorf("copies kept (-want +got):\n%s", d)
			}
			for _, name := range wantCopies {
				if got := version(t, path+name); got != i+1 {
					t.Errorf("the copy %s has schema %d, want %d", name, got, i+1)
				}
			}
			if got := version(t, path); got != len(migrations) {
				t.Errorf("schema is %d after opening, want %d", got, len(migrations))
			}
			got := describe(t, db)
			golden := strings.TrimSuffix(dump, ".sql") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(readAll(t, golden), got); d != "" {
				t.Errorf("what it holds (-want +got):\n%s", d)
			}
			db2, err := storage.Open(t.Context(), path, storage.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer db2.Close()
			if d := cmp.Diff(got, describe(t, db2)); d != "" {
				t.Errorf("opened again it differs:\n%s", d)
			}
		})
	}
}

// Who starts to look while another process, just starting too, brings the file up to date waits for it.
func TestReaderWaitsForMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	execSQL(t, path, readAll(t, "testdata/schema-0001.sql"))
	l, err := storage.Lock(path, storage.Holder{Study: "suite", Command: "sweep run"})
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		db, err := storage.Open(t.Context(), path, storage.Options{})
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	time.Sleep(250 * time.Millisecond)
	writer, err := storage.Open(t.Context(), path, storage.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Errorf("the reader: %v", err)
	}
	if err := errors.Join(writer.Close(), l.Release()); err != nil {
		t.Error(err)
	}
}

func version(t *testing.T, path string) int {
	t.Helper()
	var v int
	raw(t, path, func(db *sql.DB) {
		if err := db.QueryRow(`SELECT max(version_id) FROM sweep_migration`).Scan(&v); err != nil {
			t.Fatal(err)
		}
	})
	return v
}

// describe prints all that readers say of a database.
func describe(t *testing.T, db *storage.DB) string {
	t.Helper()
	var b strings.Builder
	sums, err := db.Studies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sums {
		fmt.Fprintf(&b, "study %s: method %s, objective %+v, created %s, wish %s, counts %v\n",
			s.Name, s.Spec.Method, s.Spec.Objective, s.Created, s.Wish, s.Counts)
		page, err := db.Query(t.Context(), s.ID, study.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range page.Trials {
			d, err := db.Detail(t.Context(), s.ID, trial.Number)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "trial %d %s %g %s %q: %v\n  %v\n  curve %v\n  metrics %v\n  history %v\n",
				d.Number, d.State, d.Value, d.Duration, d.Reason, d.Start, d.Params, d.Curve, d.Metrics, d.History)
			for _, a := range d.List {
				fmt.Fprintf(&b, "  attempt %d epoch %d %s on %s resumes %d at %d\n", a.Ordinal, a.Epoch, a.State, a.Device, a.ResumedFrom, a.ResumedStep)
				if a.Kind != "" {
					fmt.Fprintf(&b, "    which is %s; %q\n", a.Kind, a.Because)
				}
			}
			for _, a := range d.Artifacts {
				fmt.Fprintf(&b, "  artifact %+v\n", a)
			}
		}
		exports, err := db.Exports(t.Context(), s.ID, -1)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "exports %v\n", exports)
		baselines, err := db.Baselines(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range baselines {
			fmt.Fprintf(&b, "baseline %+v\n", l)
		}
	}
	return b.String()
}

// execSQL runs statements on the file at path without package storage.
func execSQL(t *testing.T, path string, statements ...string) {
	t.Helper()
	raw(t, path, func(db *sql.DB) {
		for _, s := range statements {
			if _, err := db.Exec(s); err != nil {
				t.Fatalf("%s: %v", s[:min(len(s), 200)], err)
			}
		}
	})
}

func raw(t testing.TB, path string, f func(*sql.DB)) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f(db)
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func copies(t *testing.T, path string) []string {
	t.Helper()
	names, err := filepath.Glob(path + ".before-*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = strings.TrimPrefix(names[i], path)
	}
	return names
}

// checkNoRows checks that no table of the file, of ours or of Optuna's, names the study or one of a trial that is gone.
func checkNoRows(t *testing.T, path string, studyID int64) {
	t.Helper()
	raw(t, path, func(db *sql.DB) {
		rows, err := db.Query(`
			SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
			WHERE m.type = 'table' AND c.name IN ('study_id', 'trial_id', 'attempt_id')`)
		if err != nil {
			t.Fatal(err)
		}
		var checks [][2]string
		for rows.Next() {
			var c [2]string
			if err := rows.Scan(&c[0], &c[1]); err != nil {
				t.Fatal(err)
			}
			checks = append(checks, c)
		}
		if err := rows.Err(); err != nil || len(checks) < 20 {
			t.Fatalf("%d columns to check (%v)", len(checks), err)
		}
		for _, c := range checks {
			var n int
			query := `SELECT count(*) FROM ` + c[0] + ` WHERE `
			switch c[1] {
			case "study_id":
				err = db.QueryRow(query+`study_id = ?`, studyID).Scan(&n)
			case "trial_id":
				err = db.QueryRow(query + `trial_id NOT IN (SELECT trial_id FROM trials)`).Scan(&n)
			case "attempt_id":
				err = db.QueryRow(query + `attempt_id NOT IN (SELECT attempt_id FROM attempt)`).Scan(&n)
			}
			if err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				t.Errorf("%d rows of %s are left behind", n, c[0])
			}
		}
	})
}
