package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mattn/go-sqlite3"
)

// grouped opens a database and runs writings that all come while another is being committed.
func grouped(t *testing.T, ws ...func(*sql.Tx) error) (db *DB, errs []any) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sweep.db")
	l, err := Lock(path, Holder{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Release() })
	if db, err = Open(t.Context(), path, Options{Write: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.update(t.Context(), exec(`CREATE TABLE x (v INTEGER)`)); err != nil {
		t.Fatal(err)
	}
	errs = make([]any, len(ws))
	var wg sync.WaitGroup
	err = db.update(t.Context(), func(*sql.Tx) error {
		for i, f := range ws {
			wg.Go(func() {
				defer func() {
					if v := recover(); v != nil {
						errs[i] = fmt.Sprint("panic: ", v)
					}
				}()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if f == nil {
					cancel()
					f = exec(`INSERT INTO x VALUES (999)`)
				}
				if err := db.submit(ctx, f, i%2 == 0); err != nil {
					errs[i] = err
				}
			})
			for { // in their order
				db.group.mu.Lock()
				n := len(db.group.queue)
				db.group.mu.Unlock()
				if n == i+1 {
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	return db, errs
}

func exec(query string) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec(query)
		return err
	}
}

func (db *DB) numbers(t *testing.T) []int {
	t.Helper()
	var out []int
	err := db.view(t.Context(), func(tx *sql.Tx) error {
		return each(t.Context(), tx, func(r *sql.Rows) error {
			var v int
			err := r.Scan(&v)
			out = append(out, v)
			return err
		}, `SELECT v FROM x ORDER BY rowid`)
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Of a group each writing is whole or not at all: an error, a panic, a context that has ended or a transaction that one of
// them has ended take nothing from the others.
func TestGroupedWritings(t *testing.T) {
	asked := errors.New("as asked")
	insert := func(v int) func(*sql.Tx) error { return exec(fmt.Sprintf(`INSERT INTO x VALUES (%d)`, v)) }
	fail := func(tx *sql.Tx) error { return errors.Join(insert(100)(tx), asked) }
	boom := func(tx *sql.Tx) error {
		if err := insert(200)(tx); err != nil {
			return err
		}
		panic("as asked")
	}
	// As SQLite does by itself when the disk is full or a statement was interrupted.
	rollback := func(tx *sql.Tx) error { return errors.Join(insert(300)(tx), exec(`ROLLBACK`)(tx), asked) }
	for name, c := range map[string]struct {
		ws   []func(*sql.Tx) error
		bad  map[int]string
		want []int
	}{
		"all well":         {[]func(*sql.Tx) error{insert(1), insert(2), insert(3)}, nil, []int{1, 2, 3}},
		"error":            {[]func(*sql.Tx) error{insert(1), fail, insert(3)}, map[int]string{1: "as asked"}, []int{1, 3}},
		"panic":            {[]func(*sql.Tx) error{boom, insert(2), insert(3)}, map[int]string{0: "panic: as asked"}, []int{2, 3}},
		"ended context":    {[]func(*sql.Tx) error{insert(1), nil, insert(3)}, map[int]string{1: "context canceled"}, []int{1, 3}},
		"ended by one":     {[]func(*sql.Tx) error{insert(1), rollback, insert(3)}, map[int]string{1: "as asked"}, []int{1, 3}},
		"nothing but fail": {[]func(*sql.Tx) error{fail, fail}, map[int]string{0: "as asked", 1: "as asked"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			db, errs := grouped(t, c.ws...)
			for i, err := range errs {
				if got := fmt.Sprint(err); c.bad[i] == "" && err != nil || c.bad[i] != "" && got != c.bad[i] {
					t.Errorf("writing %d ends with %q, want %q", i, got, c.bad[i])
				}
			}
			if got := db.numbers(t); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("the table holds %v, want %v", got, c.want)
			}
			// The next one finds everything in order.
			if err := db.update(t.Context(), insert(7)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Writings of a group come in the order in which they were asked for, each after all of those before it.
func TestGroupKeepsTheOrder(t *testing.T) {
	var ws []func(*sql.Tx) error
	for i := range 10 {
		ws = append(ws, func(tx *sql.Tx) error {
			if _, err := tx.Exec(`INSERT INTO x VALUES (?)`, i); err != nil {
				return err
			}
			var n int
			if err := tx.QueryRow(`SELECT count(*) FROM x`).Scan(&n); err != nil {
				return err
			}
			if n != i+1 {
				return fmt.Errorf("writing %d sees %d rows", i, n)
			}
			return nil
		})
	}
	db, errs := grouped(t, ws...)
	for i, err := range errs {
		if err != nil {
			t.Errorf("writing %d: %v", i, err)
		}
	}
	if n := len(db.numbers(t)); n != 10 {
		t.Errorf("%d rows", n)
	}
}

// An error says the same to the user whether its writing had others beside it or not.
func TestGroupExplains(t *testing.T) {
	full := func(*sql.Tx) error { return sqlite3.Error{Code: sqlite3.ErrFull} }
	_, errs := grouped(t, exec(`INSERT INTO x VALUES (1)`), full)
	if got := fmt.Sprint(errs[1]); errs[0] != nil || !strings.Contains(got, "the disk is full") || !strings.Contains(got, "free space in") {
		t.Errorf("the writings end with %v and %q", errs[0], got)
	}
}
