package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sweep/study"
)

// addEvent appends one line to the history of a study.
func addEvent(ctx context.Context, tx *sql.Tx, studyID int64, number int, kind string, body map[string]any, now time.Time) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write event %s: %w", kind, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO event (study_id, number, kind, body, time) VALUES (?, ?, ?, ?, ?)`,
		studyID, number, kind, string(b), micros(now))
	return wrap(err, "write event %s", kind)
}

// Events reads at most limit events of a study that came after the one numbered after, in order.
func (db *DB) Events(ctx context.Context, studyID, after int64, limit int) ([]study.Event, error) {
	var out []study.Event
	err := db.view(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, func(r *sql.Rows) error {
			var e study.Event
			var at int64
			err := r.Scan(&e.Seq, &e.Number, &e.Kind, &e.Body, &at)
			e.Time = fromMicros(at)
			out = append(out, e)
			return err
		}, `SELECT seq, number, kind, body, time FROM event WHERE study_id = ? AND seq > ? ORDER BY seq LIMIT ?`, studyID, after, limit)
	})
	return out, wrap(err, "read events")
}

// LastSeq is the number of the newest event of all studies, deleted ones included: it never falls. It costs one look-up,
// for pages that ask often.
func (db *DB) LastSeq(ctx context.Context) (int64, error) {
	var seq int64
	err := db.view(ctx, func(tx *sql.Tx) error {
		var err error
		seq, err = lastSeq(ctx, tx)
		return err
	})
	return seq, wrap(err, "read the last event")
}

func lastSeq(ctx context.Context, tx *sql.Tx) (int64, error) {
	var seq int64
	err := tx.QueryRowContext(ctx, `SELECT seq FROM sqlite_sequence WHERE name = 'event'`).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) { // no event yet
		return 0, nil
	}
	return seq, err
}

// Request asks whoever runs a study to pause it, to stop it, or to go on.
func (db *DB) Request(ctx context.Context, studyID int64, v study.Verdict, now time.Time) error {
	if v != study.Pause && v != study.Stop && v != study.Go {
		return fmt.Errorf("request %q: not one of %s, %s, %s", v, study.Pause, study.Stop, study.Go)
	}
	err := db.update(ctx, func(tx *sql.Tx) error {
		if _, err := readStudy(ctx, tx, studyID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO request (study_id, verdict, time) VALUES (?, ?, ?)`,
			studyID, string(v), micros(now)); err != nil {
			return err
		}
		return addEvent(ctx, tx, studyID, -1, "requested", map[string]any{"verdict": v}, now)
	})
	return wrap(err, "request %s", v)
}

// Wish returns the newest request of a study, Go without any.
func (db *DB) Wish(ctx context.Context, studyID int64) (study.Verdict, error) {
	var v study.Verdict
	err := db.view(ctx, func(tx *sql.Tx) error {
		var err error
		v, err = wish(ctx, tx, studyID)
		return err
	})
	return v, wrap(err, "read requests")
}

func wish(ctx context.Context, tx *sql.Tx, studyID int64) (study.Verdict, error) {
	var v study.Verdict
	err := tx.QueryRowContext(ctx, `SELECT verdict FROM request WHERE study_id = ? ORDER BY request_id DESC LIMIT 1`, studyID).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return study.Go, nil
	}
	return v, err
}

// ClearWish forgets the requests of a study: a run that starts answers only what is asked from then on.
func (db *DB) ClearWish(ctx context.Context, studyID int64) error {
	return wrap(db.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM request WHERE study_id = ?`, studyID)
		return err
	}), "clear requests")
}

// RecordExport keeps that a bundle was made of a trial.
func (db *DB) RecordExport(ctx context.Context, studyID int64, e study.Export) error {
	metrics, err := encodeMetrics(e.Metrics)
	if err != nil {
		return fmt.Errorf("record export: %w", err)
	}
	err = db.update(ctx, func(tx *sql.Tx) error {
		if _, err := readStudy(ctx, tx, studyID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO export (study_id, number, digest, path, metrics, time) VALUES (?, ?, ?, ?, ?, ?)`,
			studyID, e.Number, e.Digest, e.Path, metrics, micros(e.Time)); err != nil {
			return err
		}
		return addEvent(ctx, tx, studyID, e.Number, "exported", map[string]any{"digest": e.Digest, "path": e.Path}, e.Time)
	})
	return wrap(err, "record export of trial %d", e.Number)
}

// Exports reads the bundles made of a trial, or of all trials where number is -1, the newest first.
func (db *DB) Exports(ctx context.Context, studyID int64, number int) ([]study.Export, error) {
	var out []study.Export
	err := db.view(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, func(r *sql.Rows) error {
			var e study.Export
			var metrics string
			var at int64
			if err := r.Scan(&e.Number, &e.Digest, &e.Path, &metrics, &at); err != nil {
				return err
			}
			e.Time = fromMicros(at)
			var err error
			e.Metrics, err = decodeMetrics(metrics)
			out = append(out, e)
			return err
		}, `SELECT number, digest, path, metrics, time FROM export WHERE study_id = ?1 AND (?2 = -1 OR number = ?2) ORDER BY export_id DESC`,
			studyID, number)
	})
	return out, wrap(err, "read exports")
}

func encodeMetrics(m map[string]float64) (string, error) {
	out := make(map[string]study.Number, len(m))
	for k, v := range m {
		out[k] = study.Number(v)
	}
	b, err := json.Marshal(out)
	return string(b), err
}

func decodeMetrics(s string) (map[string]float64, error) {
	var in map[string]study.Number
	if err := json.Unmarshal([]byte(s), &in); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	out := make(map[string]float64, len(in))
	for k, v := range in {
		out[k] = float64(v)
	}
	return out, nil
}

// addTestMetrics puts the test metrics of the exports of each trial beside its own, of each the newest figure.
func addTestMetrics(ctx context.Context, tx *sql.Tx, studyID int64, trials []study.Trial) error {
	at := make(map[int]*study.Trial, len(trials))
	for i := range trials {
		at[trials[i].Number] = &trials[i]
	}
	return each(ctx, tx, func(r *sql.Rows) error {
		var number int
		var text string
		if err := r.Scan(&number, &text); err != nil {
			return err
		}
		t, ok := at[number]
		if !ok {
			return nil
		}
		metrics, err := decodeMetrics(text)
		for k, v := range metrics {
			if t.Metrics == nil {
				t.Metrics = map[string]float64{}
			}
			t.Metrics[k] = v
		}
		return err
	}, `SELECT number, metrics FROM export WHERE study_id = ? ORDER BY export_id`, studyID)
}
