package storage_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"sweep/storage"
	"sweep/study"
	"sweep/study/studytest"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// openDB opens a database for writing, its lock held, until the test ends.
func openDB(t testing.TB, path string) *storage.DB {
	t.Helper()
	l, err := storage.Lock(path, storage.Holder{Study: "nothing", Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), path, storage.Options{Write: true})
	if err != nil {
		l.Release()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func newStudy(t testing.TB, db *storage.DB, change func(*study.Spec)) study.Study {
	t.Helper()
	spec := studytest.StoreSpec()
	if change != nil {
		change(&spec)
	}
	s, err := db.CreateStudy(t.Context(), spec, study.Data{Name: "shapes", Fingerprint: "f00d"}, start)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	opened := func(db *storage.DB, s study.Study) studytest.Opened {
		return studytest.Opened{
			Store: db, Study: s,
			Detail: func(ctx context.Context, number int) (study.Detail, error) { return db.Detail(ctx, s.ID, number) },
			Events: func(ctx context.Context) ([]study.Event, error) { return db.Events(ctx, s.ID, 0, 1000) },
			Request: func(ctx context.Context, v study.Verdict) error {
				return db.Request(ctx, s.ID, v, start)
			},
		}
	}
	studytest.Store(t, func(t *testing.T) studytest.Opened {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "sweep.db")
		l, err := storage.Lock(path, storage.Holder{Study: "suite", Command: "test"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Release() })
		var db *storage.DB
		open := func(t *testing.T) {
			if db, err = storage.Open(t.Context(), path, storage.Options{Write: true}); err != nil {
				t.Fatal(err)
			}
		}
		open(t)
		t.Cleanup(func() { db.Close() })
		s := newStudy(t, db, nil)
		o := opened(db, s)
		o.Reopen = func(t *testing.T) studytest.Opened {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			open(t)
			return opened(db, s)
		}
		return o
	})
}
