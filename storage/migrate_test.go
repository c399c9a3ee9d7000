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
