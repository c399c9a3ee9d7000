package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// Options say how a database is opened.
type Options struct {
	// Write opens the file for running a sweep: it is made where it is missing, migrated, and cleared of files that
	// were written but never committed. The caller holds its [Lock]. Without Write the file must exist, and only
	// small transactions (requests, exports, deletions) are written.
	Write bool
	// Synchronous is SQLite's: "normal" (the default: a power cut may take the last commits of points) or "full".
	// Checkpoints, files and ends of attempts are synced either way.
	Synchronous string
}

// DB is an open database. Its methods may be called by any number of goroutines.
type DB struct {
	path  string // as it was given
	file  string // the file itself, links followed
	files files
	full  bool
	read  *sql.DB // many connections that cannot write
	group group

	mu     sync.Mutex
	closed bool
	write  *sql.DB // one connection; opened at the first need by a reader
}

// busyTimeout is how long a transaction waits for one of another process, in milliseconds. Those are all short.
const busyTimeout = 10_000

// Open opens the database at path. Errors that the user can do something about are a [FileError].
func Open(ctx context.Context, path string, o Options) (*DB, error) {
	file := resolve(path)
	db := &DB{path: path, file: file, files: newFiles(file + ".files")}
	switch o.Synchronous {
	case "", "normal":
	case "full":
		db.full = true
	default:
		return nil, fmt.Errorf("synchronous %q is not one of normal, full", o.Synchronous)
	}
	if o.Write {
		if h, held := Held(path); !held || h.PID != os.Getpid() {
			return nil, fmt.Errorf("open %s for writing: this process does not hold its lock", path)
		}
	} else if err := existing(path); err != nil {
		return nil, err
	}
	if err := db.open(ctx, o.Write); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, write bool) error {
	if write {
		w, err := db.writer()
		if err != nil {
			return err
		}
		if err := migrate(ctx, w, db.path, db.file); err != nil {
			return err
		}
	}
	var err error
	if db.read, err = sql.Open("sqlite3", db.dsn(false)); err != nil {
		return err
	}
	db.read.SetMaxOpenConns(8)
	db.read.SetMaxIdleConns(8)
	if write {
		if err := db.finishDeletions(ctx, true); err != nil {
			return fmt.Errorf("finish a deletion that was cut off: %w", err)
		}
		return db.sweepOrphans(ctx)
	}
	// An older file is brought up to date, which only who holds the lock may do. A sweep that is just starting may hold
	// it and do so this moment: wait for it a little.
	var l *FileLock
	for try := 0; ; try++ {
		version, err := schemaVersion(ctx, db.read)
		if err != nil {
			return err
		}
		if err := checkVersion(db.path, version); err != nil {
			return err
		}
		if version == newestSchema() {
			return nil
		}
		if l, err = Lock(db.file, Holder{Command: "migrate"}); err == nil {
			break
		}
		if !errors.Is(err, ErrInUse) || try == 20 {
			return err
		}
	}
	defer l.Release()
	w, err := db.writer()
	if err != nil {
		return err
	}
	return migrate(ctx, w, db.path, db.file)
}

// resolve follows the links of path, so that a database has one lock and one folder of files, whatever it is called. A
// file that is yet to be made lies where its folder does; what cannot be followed stays as it is, and opening it will say
// why.
func resolve(path string) string {
	for range 40 { // links that lead to a file that is missing; more are a circle
		if file, err := filepath.EvalSymlinks(path); err == nil {
			return file
		}
		to, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path
	}
	return filepath.Join(folder, filepath.Base(path))
}

// existing reports what keeps a reader from the file at path.
func existing(path string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return &FileError{path, "there is no database", "start a sweep with `sweep run SPEC`, or name its database with --db", nil}
	case err != nil:
		return explain(path, err)
	case st.IsDir():
		return &FileError{path, "this is a folder", "name the database file in it with --db", nil}
	case st.Size() == 0:
		return &FileError{path, "the database is empty", "start a sweep with `sweep run SPEC`, or name its database with --db", nil}
	}
	return nil
}

// Close waits for nothing: transactions under way fail.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.closed = true
	var errs []error
	if db.read != nil {
		errs = append(errs, db.read.Close())
	}
	// The writer goes last: as the last connection it empties the write-ahead log.
	if db.write != nil {
		errs = append(errs, db.write.Close())
		db.write = nil
	}
	return errors.Join(errs...)
}

// Path is the file's, as given to [Open].
func (db *DB) Path() string { return db.path }

func (db *DB) dsn(write bool) string {
	abs, err := filepath.Abs(db.file)
	if err != nil { // no current folder: SQLite will say so too
		abs = db.file
	}
	q := url.Values{}
	q.Set("_busy_timeout", strconv.Itoa(busyTimeout))
	q.Set("_foreign_keys", "on")
	q.Set("_stmt_cache_size", "128")
	if write {
		q.Set("_journal_mode", "wal")
		q.Set("_txlock", "immediate")
		q.Set("_auto_vacuum", "incremental") // of a new file; an old one keeps its own
		q.Set("_synchronous", db.synchronous())
	} else {
		q.Set("mode", "ro")
	}
	return "file:" + (&url.URL{Path: abs}).EscapedPath() + "?" + q.Encode()
}

func (db *DB) synchronous() string {
	if db.full {
		return "full"
	}
	return "normal"
}

// writer returns the handle with the one connection that writes.
func (db *DB) writer() (*sql.DB, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, errors.New("the database is closed")
	}
	if db.write == nil {
		w, err := sql.Open("sqlite3", db.dsn(true))
		if err != nil {
			return nil, err
		}
		w.SetMaxOpenConns(1)
		db.write = w
	}
	return db.write, nil
}

// update runs f in one write transaction.
func (db *DB) update(ctx context.Context, f func(*sql.Tx) error) error {
	return db.submit(ctx, f, false)
}

// updateDurably runs f in one write transaction that has reached the disk, with all before it, when it returns.
func (db *DB) updateDurably(ctx context.Context, f func(*sql.Tx) error) error {
	return db.submit(ctx, f, true)
}

// view runs f in one read transaction: it sees one state of the database.
func (db *DB) view(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return explain(db.path, err)
	}
	defer tx.Rollback()
	return explain(db.path, f(tx))
}

// each runs f on every row of a query.
func each(ctx context.Context, tx *sql.Tx, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// list makes the JSON array of ids that `IN (SELECT value FROM json_each(?))` takes: one statement for any number.
func list(ids []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatInt(id, 10))
	}
	b.WriteByte(']')
	return b.String()
}
