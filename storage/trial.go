package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"sweep/study"
)

var _ study.Store = (*DB)(nil)

// Propose stores a new waiting trial under the next number, with its parameters, their distributions and what its
// sampler had seen.
func (db *DB) Propose(ctx context.Context, studyID int64, p study.Proposal) (study.Trial, error) {
	if err := p.Space.Check(p.Params); err != nil {
		return study.Trial{}, fmt.Errorf("propose a trial: %w", err)
	}
	if len(p.Params) != len(p.Space) {
		for name := range p.Params {
			if _, ok := p.Space.Lookup(name); !ok {
				return study.Trial{}, fmt.Errorf("propose a trial: parameter %s is not in the space", name)
			}
		}
	}
	t := study.Trial{State: study.Waiting, Value: math.NaN(), Params: study.Params{}}
	err := db.update(ctx, func(tx *sql.Tx) error {
		if _, err := readStudy(ctx, tx, studyID); err != nil {
			return err
		}
		// Optuna's rule: numbers count the trials of the study without a gap.
		err := tx.QueryRowContext(ctx, `SELECT coalesce(max(number) + 1, 0) FROM trial_info WHERE study_id = ?`, studyID).Scan(&t.Number)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO trials (number, study_id, state) VALUES (?, ?, ?)`, t.Number, studyID, optunaWaiting)
		if err != nil {
			return err
		}
		if t.ID, err = res.LastInsertId(); err != nil {
			return err
		}
		for _, d := range p.Space {
			internal, err := d.Distribution.Internal(p.Params[d.Name])
			if err != nil {
				return fmt.Errorf("parameter %s: %w", d.Name, err)
			}
			text, err := encodeDistribution(d.Distribution)
			if err != nil {
				return fmt.Errorf("parameter %s: %w", d.Name, err)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json) VALUES (?, ?, ?, ?)`,
				t.ID, d.Name, internal, text); err != nil {
				return err
			}
			if d.Distribution.Kind == study.Categorical || d.Distribution.Kind == study.Int {
				t.Params[d.Name] = d.Distribution.External(internal)
			} else {
				t.Params[d.Name] = internal // as it was chosen, never snapped
			}
		}
		seen := p.Seen
		if seen == 0 {
			if seen, err = lastSeq(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE trial_info SET sampler = ?, seen = ? WHERE trial_id = ?`, p.Sampler, seen, t.ID); err != nil {
			return err
		}
		return addEvent(ctx, tx, studyID, t.Number, "proposed", map[string]any{"sampler": p.Sampler, "seen": seen}, p.Now)
	})
	if err != nil {
		return study.Trial{}, wrap(err, "propose a trial")
	}
	return t, nil
}

// Trials reads all trials of a study in the order of their numbers, with their curves.
func (db *DB) Trials(ctx context.Context, studyID int64) ([]study.Trial, error) {
	var out []study.Trial
	err := db.view(ctx, func(tx *sql.Tx) error {
		s, err := readStudy(ctx, tx, studyID)
		if err != nil {
			return err
		}
		out, err = loadTrials(ctx, tx, s, nil, true)
		return err
	})
	return out, wrap(err, "read trials")
}

// loadTrials reads the trials with these ids, in that order; all of the study by number where ids is nil. Every table is
// read once, whatever their number.
func loadTrials(ctx context.Context, tx *sql.Tx, s study.Study, ids []int64, curves bool) ([]study.Trial, error) {
	if ids == nil {
		ids = []int64{}
		err := each(ctx, tx, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT trial_id FROM trial_info WHERE study_id = ? ORDER BY number`, s.ID)
		if err != nil {
			return nil, err
		}
	}
	out := make([]study.Trial, len(ids))
	byID := make(map[int64]*study.Trial, len(ids))
	for i, id := range ids {
		out[i].ID = id
		byID[id] = &out[i]
	}
	in := list(ids)
	err := each(ctx, tx, func(r *sql.Rows) error {
		var id, duration int64
		var class int
		var value sql.NullFloat64
		var start, end sql.NullTime
		var t study.Trial
		if err := r.Scan(&id, &t.Number, &class, &value, &t.Reason, &t.Message, &t.Attempts, &t.Failures, &duration, &start, &end); err != nil {
			return err
		}
		t.ID, t.State, t.Value = id, study.States[class], fromNullable(value)
		t.Duration = time.Duration(duration) * time.Microsecond
		t.Start, t.End = start.Time, end.Time
		t.Params = study.Params{}
		*byID[id] = t
		return nil
	}, `SELECT i.trial_id, coalesce(i.number, 0), i.class, i.value, i.reason, i.message, i.attempts, i.failures, coalesce(i.duration, 0),
	           t.datetime_start, t.datetime_complete
	    FROM json_each(?) j JOIN trial_info i ON i.trial_id = j.value JOIN trials t ON t.trial_id = i.trial_id`, in)
	if err != nil {
		return nil, fmt.Errorf("read trials: %w", err)
	}

	codec, err := newCodec(s.Spec.Space)
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, func(r *sql.Rows) error {
		var id int64
		var name, text string
		var internal sql.NullFloat64
		if err := r.Scan(&id, &name, &internal, &text); err != nil {
			return err
		}
		byID[id].Params[name] = codec.value(name, text, fromNullable(internal))
		return nil
	}, `SELECT p.trial_id, p.param_name, p.param_value, p.distribution_json
	    FROM json_each(?) j JOIN trial_params p ON p.trial_id = j.value`, in)
	if err != nil {
		return nil, fmt.Errorf("read parameters: %w", err)
	}

	err = each(ctx, tx, func(r *sql.Rows) error {
		var id int64
		var name string
		var value sql.NullFloat64
		if err := r.Scan(&id, &name, &value); err != nil {
			return err
		}
		t := byID[id]
		if t.Metrics == nil {
			t.Metrics = map[string]float64{}
		}
		t.Metrics[name] = fromNullable(value)
		return nil
	}, `SELECT l.trial_id, k.name, l.value
	    FROM json_each(?) j JOIN trial_latest l ON l.trial_id = j.value JOIN metric_key k ON k.key_id = l.key_id`, in)
	if err != nil {
		return nil, fmt.Errorf("read latest metrics: %w", err)
	}
	if !curves {
		return out, nil
	}
	err = each(ctx, tx, func(r *sql.Rows) error {
		var id int64
		var step int
		var value sql.NullFloat64
		var kind string
		if err := r.Scan(&id, &step, &value, &kind); err != nil {
			return err
		}
		byID[id].Curve = append(byID[id].Curve, study.Sample{Step: step, Value: fromOptunaValue(value, kind)})
		return nil
	}, `SELECT v.trial_id, v.step, v.intermediate_value, v.intermediate_value_type
	    FROM json_each(?) j JOIN trial_intermediate_values v ON v.trial_id = j.value
	    ORDER BY j.key, v.step`, in)
	return out, wrap(err, "read curves")
}

// trialID finds a trial of a study by its number.
func trialID(ctx context.Context, tx *sql.Tx, s study.Study, number int) (int64, error) {
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT trial_id FROM trial_info WHERE study_id = ? AND number = ?`, s.ID, number).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM trial_info WHERE study_id = ?`, s.ID).Scan(&n); err != nil {
		return 0, err
	}
	has := "it has none yet"
	if n > 0 {
		has = fmt.Sprintf("it has %d, numbered from 0", n)
	}
	return 0, absent(fmt.Sprintf("study %s has no trial %d: %s", plain(s.Name), number, has))
}
