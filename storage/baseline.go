package storage

import (
	"context"
	"database/sql"
	"fmt"

	"sweep/study"
)

// RecordBaselines keeps baselines of a study; one of the same name is replaced. They go with the study and with nothing
// else. No event tells of them: what a sampler has seen is to depend on trials alone.
func (db *DB) RecordBaselines(ctx context.Context, studyID int64, list []study.Baseline) error {
	err := db.update(ctx, func(tx *sql.Tx) error {
		if _, err := readStudy(ctx, tx, studyID); err != nil {
			return err
		}
		for _, b := range list {
			metrics, err := encodeMetrics(b.Metrics)
			if err != nil {
				return fmt.Errorf("%s: %w", b.Name, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO baseline (study_id, name, k, metrics, fingerprint, time) VALUES (?, ?, ?, ?, ?, ?)`,
				studyID, b.Name, b.K, metrics, b.Fingerprint, micros(b.Time)); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "record baselines")
}

// Baselines reads the baselines of a study, by the size of their codes.
func (db *DB) Baselines(ctx context.Context, studyID int64) ([]study.Baseline, error) {
	var out []study.Baseline
	err := db.view(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, func(r *sql.Rows) error {
			var b study.Baseline
			var metrics string
			var at int64
			if err := r.Scan(&b.Name, &b.K, &metrics, &b.Fingerprint, &at); err != nil {
				return err
			}
			b.Time = fromMicros(at)
			var err error
			b.Metrics, err = decodeMetrics(metrics)
			out = append(out, b)
			return err
		}, `SELECT name, k, metrics, fingerprint, time FROM baseline WHERE study_id = ? ORDER BY k, name`, studyID)
	})
	return out, wrap(err, "read baselines")
}
