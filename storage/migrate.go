package storage

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose keeps which migrations were applied.
const versionTable = "sweep_migration"

// optunaRevision is the revision of Optuna's tables that the first migration lays out; Optuna has kept it since its
// version 3.2 of 2023.
const optunaRevision = "v3.2.0.a"

// newestSchema is the version of the last migration.
func newestSchema() int64 {
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil || len(names) == 0 {
		panic("storage: no migrations embedded")
	}
	v, err := goose.NumericComponent(names[len(names)-1])
	if err != nil {
		panic("storage: " + err.Error())
	}
	return v
}

// schemaVersion reads the version of the newest migration that the file has; 0 without any.
func schemaVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`, versionTable).Scan(&n)
	if err != nil || n == 0 {
		return 0, err
	}
	var v sql.NullInt64
	err = db.QueryRowContext(ctx, `SELECT max(version_id) FROM `+versionTable+` WHERE is_applied`).Scan(&v)
	return v.Int64, err
}

func checkVersion(path string, version int64) error {
	if newest := newestSchema(); version > newest {
		return &FileError{
			path, fmt.Sprintf("the database has schema %d and this program knows up to %d", version, newest),
			"use the newer version of sweep that made it, or name another file with --db", ErrNewer,
		}
	}
	return nil
}

// migrate brings the file up to the newest schema. Where there is something to lose it first keeps a copy beside it, named
// by the first migration that is applied. path is what the user calls the file.
func migrate(ctx context.Context, w *sql.DB, path, file string) error {
	version, err := schemaVersion(ctx, w)
	if err != nil {
		return err
	}
	if err := checkVersion(path, version); err != nil {
		return err
	}
	if version == newestSchema() {
		return nil
	}
	// A process that died while it made the file may have left goose's own table.
	var tables int
	if err := w.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT IN (?, 'sqlite_sequence')`,
		versionTable).Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		if err := checkForeign(ctx, w, path, version); err != nil {
			return err
		}
		if err := keepCopy(ctx, w, fmt.Sprintf("%s.before-%04d", file, version+1)); err != nil {
			return fmt.Errorf("keep a copy before migrating: %w", err)
		}
	}
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, w, sub,
		goose.WithTableName(versionTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", path, err)
	}
	return nil
}

// checkForeign reports whether a file without our tables is one that Optuna made, in the layout that we know.
func checkForeign(ctx context.Context, w *sql.DB, path string, version int64) error {
	if version > 0 {
		return nil
	}
	var n int
	err := w.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('studies', 'alembic_version')`).Scan(&n)
	if err != nil {
		return err
	}
	if n != 2 {
		return &FileError{path, "this database belongs to another program", "name another file with --db", nil}
	}
	var revision string
	err = w.QueryRowContext(ctx, `SELECT version_num FROM alembic_version`).Scan(&revision)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if revision != optunaRevision {
		return &FileError{
			path, fmt.Sprintf("this Optuna database has revision %q, not %s", revision, optunaRevision),
			"upgrade it with `optuna storage upgrade --storage sqlite:///" + path + "`", nil,
		}
	}
	return nil
}

// keepCopy writes a whole, consistent copy of the database, what its log still holds included.
func keepCopy(ctx context.Context, w *sql.DB, to string) error {
	temp := to + ".tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if _, err := w.ExecContext(ctx, `VACUUM INTO ?`, temp); err != nil {
		return err
	}
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.Sync()
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(temp, to)
}
