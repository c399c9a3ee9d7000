package storage_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3"
)

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

func raw(t *testing.T, path string, f func(*sql.DB)) {
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
