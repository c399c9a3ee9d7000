package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"sweep/storage"
	"sweep/study"
)

// manyTrials gives a study n trials with parameters, curves, metrics, chunks, files and events, as rows alone.
func manyTrials(t testing.TB, path string, s study.Study, n int) {
	t.Helper()
	raw(t, path, func(db *sql.DB) {
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		for _, query := range []string{
			`CREATE TEMP TABLE n AS WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) SELECT i FROM n WHERE ?1`,
			`INSERT INTO trials (number, study_id, state) SELECT i, ?1, 'COMPLETE' FROM n WHERE i < ?2`,
			`CREATE TEMP TABLE t AS SELECT trial_id AS id, number FROM trials WHERE study_id = ?1 AND ?2`,
			`INSERT INTO metric_key (study_id, name) VALUES (?1, 'a'), (?1, 'b') ON CONFLICT DO NOTHING`,
			`INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)
				SELECT id, 'p' || i, 0.5, '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}'
				FROM t, n WHERE i < 8`,
			`INSERT INTO trial_values (trial_id, objective, value, value_type) SELECT id, 0, 0.5, 'FINITE' FROM t`,
			`INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
				SELECT id, i, 0.5, 'FINITE' FROM t, n WHERE i < 10 OR number = 7`, // one has a long curve
			`INSERT INTO attempt (trial_id, ordinal, epoch, host, device, start, active, state) SELECT id, 1, 1, 'h', 'd', 1, 1, 'complete' FROM t`,
			`INSERT INTO metric_chunk (attempt_id, key_id, ord, count, first_step, last_step, body)
				SELECT attempt_id, key_id, 0, 1, 1, 1, randomblob(200) FROM attempt JOIN t ON id = trial_id, metric_key WHERE study_id = ?1`,
			`INSERT INTO metric_tail (attempt_id, key_id, ord, step, value, time)
				SELECT attempt_id, key_id, i, i, 0.5, 1 FROM attempt JOIN t ON id = trial_id, metric_key, n WHERE study_id = ?1 AND (i < 3 OR number = 9)`,
			`INSERT INTO trial_latest (trial_id, key_id, step, value) SELECT id, key_id, 1, 0.5 FROM t, metric_key WHERE study_id = ?1`,
			`INSERT INTO artifact (study_id, trial_id, attempt_id, kind, name, media, step, size, digest, created)
				SELECT ?1, id, 1, 'strip', 's', 'image/png', 1, 9, printf('%064x', id), 1 FROM t`,
			`INSERT INTO event (study_id, number, kind, body, time) SELECT ?1, number, 'point', '{}', 1 FROM t, n WHERE i < 12`,
			`DROP TABLE n`, `DROP TABLE t`,
		} {
			if _, err := tx.Exec(query, s.ID, n); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	})
}

// watch is a second look at the file: how many trials of a study it still has.
type watch struct {
	db    *sql.DB
	study int64
}

func newWatch(t *testing.T, path string, s study.Study) watch {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return watch{db, s.ID}
}

func (w watch) trials(t *testing.T) int {
	var n int
	if err := w.db.QueryRow(`SELECT count(*) FROM trials WHERE study_id = ?`, w.study).Scan(&n); err != nil {
		t.Error(err)
	}
	return n
}

// beside opens a database that runs one study, and from another handle, as `sweep rm` does, one with a study to delete.
func beside(t *testing.T, n int) (path string, runner, other *storage.DB, running, resting study.Study) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "sweep.db")
	runner = openDB(t, path)
	running = newStudy(t, runner, func(s *study.Spec) { s.Name = "running" })
	resting = newStudy(t, runner, func(s *study.Spec) { s.Name = "resting" })
	manyTrials(t, path, resting, n)
	other, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return path, runner, other, running, resting
}

// A sweep goes on writing while a large study is deleted, and nobody sees half of that study.
func TestDeleteBesideAWriter(t *testing.T) {
	const n = 700
	path, runner, other, running, resting := beside(t, n)
	model(t, runner, running, 1, []byte("of the running one"))
	w := newWatch(t, path, resting)
	var over atomic.Bool
	deleted := make(chan error, 1)
	go func() {
		deleted <- other.DeleteStudy(t.Context(), "resting")
		over.Store(true)
	}()
	between, longest := 0, time.Duration(0)
	for !over.Load() {
		before := w.trials(t)
		began := time.Now()
		if err := runner.Request(t.Context(), running.ID, study.Go, start); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(began))
		if after := w.trials(t); before < n && after > 0 {
			between++ // a write got through, and the deletion is still at it
		}
		sums, err := runner.Studies(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, sum := range sums {
			if got := sum.Counts[study.Complete]; sum.ID == resting.ID && (got != n || sum.Name != "resting") {
				t.Fatalf("a reader sees study %q with %d of its trials", sum.Name, got)
			}
		}
	}
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes during the deletion, the longest took %s", between, longest)
	if between < 10 {
		t.Errorf("%d writes got through during the deletion", between)
	}
	if longest > 5*time.Second { // half of what makes a write fail
		t.Errorf("a write waited for %s", longest)
	}
	checkNoRows(t, path, resting.ID)
	if files := keptFiles(t, path); len(files) != 1 {
		t.Errorf("%d files are left, want the one of the running study", len(files))
	}
	if trials, err := runner.Trials(t.Context(), running.ID); err != nil || len(trials) != 1 {
		t.Errorf("the running study has %d trials (%v)", len(trials), err)
	}
}

// A deletion that was cut off is finished by the next one, or by who takes the lock next. Until then the study is gone to
// readers all the same.
func TestDeleteCutOff(t *testing.T) {
	for name, finish := range map[string]func(t *testing.T, path string, other *storage.DB){
		"by the same deletion": func(t *testing.T, path string, other *storage.DB) {
			if err := other.DeleteStudy(t.Context(), "resting"); err != nil {
				t.Error(err)
			}
		},
		"by another deletion": func(t *testing.T, path string, other *storage.DB) {
			if err := other.DeleteStudy(t.Context(), "third"); err != nil {
				t.Error(err)
			}
		},
		"by the next writer": func(t *testing.T, path string, other *storage.DB) {
			db, err := storage.Open(t.Context(), path, storage.Options{Write: true}) // openDB holds the lock
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const n = 300
			path, runner, other, _, resting := beside(t, n)
			newStudy(t, runner, func(s *study.Spec) { s.Name = "third" })
			w := newWatch(t, path, resting)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			deleted := make(chan error, 1)
			go func() { deleted <- other.DeleteStudy(ctx, "resting") }()
			for w.trials(t) == n {
				time.Sleep(time.Millisecond)
			}
			cancel()
			if err := <-deleted; err == nil {
				t.Fatal("the deletion was not cut off")
			}
			left := w.trials(t)
			if left == 0 || left == n {
				t.Fatalf("%d of %d trials are left", left, n)
			}
			const gone = `there is no study "resting": there are third, running`
			_, err := runner.Study(t.Context(), "resting")
			is(t, err, gone)
			_, err = other.Summary(t.Context(), "resting")
			is(t, err, gone)
			for what, read := range map[string]func() error{
				"trials":  func() error { _, err := other.Trials(t.Context(), resting.ID); return err },
				"query":   func() error { _, err := other.Query(t.Context(), resting.ID, study.Query{}); return err },
				"detail":  func() error { _, err := other.Detail(t.Context(), resting.ID, n-1); return err },
				"request": func() error { return other.Request(t.Context(), resting.ID, study.Stop, start) },
			} {
				if err := read(); !errors.Is(err, study.ErrNotFound) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if sums, err := other.Studies(t.Context()); err != nil || len(sums) != 2 {
				t.Errorf("%d studies are listed (%v)", len(sums), err)
			}
			finish(t, path, other)
			checkNoRows(t, path, resting.ID)
			is(t, other.DeleteStudy(t.Context(), "no such"), func() string {
				if name == "by another deletion" {
					return `there is no study "no such": there is running`
				}
				return `there is no study "no such": there are third, running`
			}())
			again := newStudy(t, runner, func(s *study.Spec) { s.Name = "resting" })
			if err := other.DeleteStudy(t.Context(), "resting"); err != nil {
				t.Error(err)
			}
			checkNoRows(t, path, again.ID)
		})
	}
}

// While a deletion is cut off its study's name is free, and deleting the new study of that name finishes both.
func TestDeleteNameIsFree(t *testing.T) {
	path, runner, other, _, resting := beside(t, 300)
	w := newWatch(t, path, resting)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	deleted := make(chan error, 1)
	go func() { deleted <- other.DeleteStudy(ctx, "resting") }()
	for w.trials(t) == 300 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-deleted
	again := newStudy(t, runner, func(s *study.Spec) { s.Name = "resting" })
	fresh, err := other.Study(t.Context(), "resting")
	if err != nil || fresh.ID != again.ID {
		t.Fatalf("the study is the one with id %d, want %d (%v)", fresh.ID, again.ID, err)
	}
	if err := other.DeleteStudy(t.Context(), "resting"); err != nil {
		t.Fatal(err)
	}
	checkNoRows(t, path, resting.ID)
	checkNoRows(t, path, again.ID)
}

func BenchmarkDelete(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		path := filepath.Join(b.TempDir(), "sweep.db")
		db := openDB(b, path)
		s := newStudy(b, db, func(s *study.Spec) { s.Name = "resting" })
		manyTrials(b, path, s, 10_000)
		b.StartTimer()
		if err := db.DeleteStudy(b.Context(), "resting"); err != nil {
			b.Fatal(err)
		}
	}
}
