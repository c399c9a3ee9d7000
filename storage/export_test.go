package storage

import (
	"context"
	"fmt"
)

// BytesOfStudy is the query of a study's disk space.
const BytesOfStudy = bytesOfStudy

// LimitPages lets the file of db grow by two more pages only.
func LimitPages(ctx context.Context, db *DB) error {
	w, err := db.writer()
	if err != nil {
		return err
	}
	var n int
	if err := w.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&n); err != nil {
		return err
	}
	_, err = w.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, n+2))
	return err
}
