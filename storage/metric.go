package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"

	"sweep/study"
)

// Append stores points of an attempt. The calls of a lease are numbered by rising seq; one whose seq was stored before
// changes nothing. Points whose key is objective also go into Optuna's intermediate values, one a step: the last one
// counts.
func (db *DB) Append(ctx context.Context, l study.Lease, seq int64, points []study.Point, objective string) error {
	for _, p := range points {
		if p.Key == "" {
			return errors.New("append points: one has no key")
		}
	}
	err := db.update(ctx, func(tx *sql.Tx) error {
		number, err := current(ctx, tx, l)
		if err != nil {
			return err
		}
		var last, ord int64
		if err := tx.QueryRowContext(ctx, `SELECT last_seq, points FROM attempt WHERE attempt_id = ?`, l.AttemptID).Scan(&last, &ord); err != nil {
			return err
		}
		if seq <= last {
			return nil
		}
		keys := map[string]int64{}
		latest := map[string]study.Point{}
		var active int64
		for i, p := range points {
			id, ok := keys[p.Key]
			if !ok {
				if id, err = keyID(ctx, tx, l.StudyID, p.Key); err != nil {
					return err
				}
				keys[p.Key] = id
			}
			at := micros(p.Time)
			if _, err := tx.ExecContext(ctx, `INSERT INTO metric_tail (attempt_id, key_id, ord, step, value, time) VALUES (?, ?, ?, ?, ?, ?)`,
				l.AttemptID, id, ord+int64(i), p.Step, nullable(p.Value), at); err != nil {
				return err
			}
			if o, ok := latest[p.Key]; !ok || p.Step >= o.Step {
				latest[p.Key] = p
			}
			active = max(active, at)
			if p.Key != objective {
				continue
			}
			if err := setIntermediate(ctx, tx, l.TrialID, p.Step, p.Value); err != nil {
				return err
			}
		}
		step := 0
		for key, p := range latest {
			if err := setLatest(ctx, tx, l.TrialID, keys[key], p.Step, p.Value); err != nil {
				return err
			}
			step = max(step, p.Step)
		}
		after := ord + int64(len(points))
		if _, err := tx.ExecContext(ctx, `UPDATE attempt SET last_seq = ?, points = ?, active = max(active, ?) WHERE attempt_id = ?`,
			seq, after, active, l.AttemptID); err != nil {
			return err
		}
		if after/chunkPoints > ord/chunkPoints { // now and then is enough
			if err := seal(ctx, tx, l.AttemptID, chunkPoints); err != nil {
				return err
			}
		}
		body := map[string]any{"step": step}
		if p, ok := latest[objective]; ok {
			body["value"] = study.Number(p.Value)
		}
		return addEvent(ctx, tx, l.StudyID, number, "point", body, fromMicros(active))
	})
	return wrap(err, "append points")
}

// keyID finds or makes the number of a metric's name in a study.
func keyID(ctx context.Context, tx *sql.Tx, studyID int64, name string) (int64, error) {
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT key_id FROM metric_key WHERE study_id = ? AND name = ?`, studyID, name).Scan(&id)
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO metric_key (study_id, name) VALUES (?, ?)`, studyID, name)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// setLatest keeps the value of the highest step.
func setLatest(ctx context.Context, tx *sql.Tx, trialID, keyID int64, step int, v float64) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO trial_latest (trial_id, key_id, step, value) VALUES (?, ?, ?, ?)
		ON CONFLICT (trial_id, key_id) DO UPDATE SET step = excluded.step, value = excluded.value WHERE excluded.step >= step`,
		trialID, keyID, step, nullable(v))
	return err
}

// setIntermediate keeps a value of the objective where Optuna looks for it.
func setIntermediate(ctx context.Context, tx *sql.Tx, trialID int64, step int, value float64) error {
	v, kind := optunaValue(value)
	_, err := tx.ExecContext(ctx, `
		INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type) VALUES (?, ?, ?, ?)
		ON CONFLICT (trial_id, step) DO UPDATE SET intermediate_value = excluded.intermediate_value,
			intermediate_value_type = excluded.intermediate_value_type`, trialID, step, v, kind)
	return err
}

// seal moves the points of an attempt from the tail into chunks, for each key that has at least so many there.
func seal(ctx context.Context, tx *sql.Tx, attemptID int64, atLeast int) error {
	var keys []int64
	err := each(ctx, tx, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		keys = append(keys, id)
		return err
	}, `SELECT key_id FROM metric_tail WHERE attempt_id = ? GROUP BY key_id HAVING count(*) >= ?`, attemptID, atLeast)
	if err != nil {
		return err
	}
	for _, key := range keys {
		var points []sample
		var ords []int64
		err := each(ctx, tx, func(r *sql.Rows) error {
			var ord int64
			var p sample
			var v sql.NullFloat64
			err := r.Scan(&ord, &p.step, &v, &p.time)
			p.value = fromNullable(v)
			ords, points = append(ords, ord), append(points, p)
			return err
		}, `SELECT ord, step, value, time FROM metric_tail WHERE attempt_id = ? AND key_id = ? ORDER BY ord`, attemptID, key)
		if err != nil {
			return err
		}
		for len(points) >= atLeast {
			n := min(chunkPoints, len(points))
			c := points[:n]
			low, high := extremes(c)
			if _, err := tx.ExecContext(ctx, `
				INSERT INTO metric_chunk (attempt_id, key_id, ord, count, first_step, last_step, low, high, last, body)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
				attemptID, key, ords[0], n, c[0].step, c[n-1].step, nullable(low), nullable(high), nullable(c[n-1].value), encodeChunk(c)); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM metric_tail WHERE attempt_id = ? AND key_id = ? AND ord <= ?`,
				attemptID, key, ords[n-1]); err != nil {
				return err
			}
			points, ords = points[n:], ords[n:]
		}
	}
	return nil
}

// span is a run of visible points: those of one attempt up to a step.
type span struct {
	attemptID int64
	upTo      int
}

// spans follows the chain of each trial from the attempt at its head back to where that one resumed from, and so on. An
// attempt that is not in the chain, and points after the step that the next one resumed at, are hidden.
func spans(ctx context.Context, tx *sql.Tx, trialIDs []int64) (map[int64][]span, error) {
	type attempt struct {
		id         int64
		from, step int
	}
	type trial struct {
		head, step int
		attempts   map[int]attempt
	}
	trials := map[int64]*trial{}
	in := list(trialIDs)
	err := each(ctx, tx, func(r *sql.Rows) error {
		var id int64
		var step sql.NullInt64
		t := &trial{step: math.MaxInt, attempts: map[int]attempt{}}
		if err := r.Scan(&id, &t.head, &step); err != nil {
			return err
		}
		if step.Valid {
			t.step = int(step.Int64)
		}
		trials[id] = t
		return nil
	}, `SELECT trial_id, head, head_step FROM trial_info WHERE trial_id IN (SELECT value FROM json_each(?))`, in)
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, func(r *sql.Rows) error {
		var id int64
		var ordinal int
		var a attempt
		err := r.Scan(&id, &ordinal, &a.id, &a.from, &a.step)
		if t := trials[id]; err == nil && t != nil {
			t.attempts[ordinal] = a
		}
		return err
	}, `SELECT trial_id, ordinal, attempt_id, resumed_from, resumed_step FROM attempt WHERE trial_id IN (SELECT value FROM json_each(?))`, in)
	if err != nil {
		return nil, err
	}
	out := make(map[int64][]span, len(trials))
	for id, t := range trials {
		ordinal, step := t.head, t.step
		for ordinal > 0 {
			a, ok := t.attempts[ordinal]
			if !ok || a.from >= ordinal { // only a damaged file has such a chain; it ends here
				break
			}
			out[id] = append(out[id], span{a.id, step})
			ordinal, step = a.from, min(step, a.step)
		}
		slices.Reverse(out[id])
	}
	return out, nil
}

// readHistory reads the visible points of trials by key, one a step in rising order: the last one of a step counts.
// With keyID 0 it reads every key.
func readHistory(ctx context.Context, tx *sql.Tx, trialIDs []int64, key int64) (map[int64]map[int64][]study.Sample, error) {
	chains, err := spans(ctx, tx, trialIDs)
	if err != nil {
		return nil, err
	}
	var attempts []int64
	for _, chain := range chains {
		for _, s := range chain {
			attempts = append(attempts, s.attemptID)
		}
	}
	// points by attempt and key, in order of arrival: chunks first, the tail is newer.
	points := map[int64]map[int64][]sample{}
	add := func(attempt, key int64, p ...sample) {
		if points[attempt] == nil {
			points[attempt] = map[int64][]sample{}
		}
		points[attempt][key] = append(points[attempt][key], p...)
	}
	in := list(attempts)
	err = each(ctx, tx, func(r *sql.Rows) error {
		var attempt, key int64
		var body sql.RawBytes
		if err := r.Scan(&attempt, &key, &body); err != nil {
			return err
		}
		p, err := decodeChunk(body)
		add(attempt, key, p...)
		return wrap(err, "read metrics of the attempt with id %d", attempt)
	}, `SELECT attempt_id, key_id, body FROM metric_chunk
	    WHERE attempt_id IN (SELECT value FROM json_each(?1)) AND (?2 = 0 OR key_id = ?2) ORDER BY attempt_id, key_id, ord`, in, key)
	if err != nil {
		return nil, err
	}
	err = each(ctx, tx, func(r *sql.Rows) error {
		var attempt, key int64
		var p sample
		var v sql.NullFloat64
		if err := r.Scan(&attempt, &key, &p.step, &v); err != nil {
			return err
		}
		p.value = fromNullable(v)
		add(attempt, key, p)
		return nil
	}, `SELECT attempt_id, key_id, step, value FROM metric_tail
	    WHERE attempt_id IN (SELECT value FROM json_each(?1)) AND (?2 = 0 OR key_id = ?2) ORDER BY attempt_id, key_id, ord`, in, key)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]map[int64][]study.Sample, len(chains))
	for id, chain := range chains {
		merged := map[int64][]study.Sample{}
		for _, s := range chain {
			for key, ps := range points[s.attemptID] {
				for _, p := range ps {
					if int(p.step) <= s.upTo {
						merged[key] = append(merged[key], study.Sample{Step: int(p.step), Value: p.value})
					}
				}
			}
		}
		for key := range merged {
			merged[key] = oneAStep(merged[key])
		}
		out[id] = merged
	}
	return out, nil
}

// oneAStep sorts samples by step and keeps the last to arrive of each.
func oneAStep(s []study.Sample) []study.Sample {
	slices.SortStableFunc(s, func(a, b study.Sample) int { return a.Step - b.Step })
	out := s[:0]
	for i, p := range s {
		if i+1 == len(s) || s[i+1].Step != p.Step {
			out = append(out, p)
		}
	}
	return out
}

// relay lays out anew what was derived from a trial's points when some of them became hidden: its latest metrics and
// Optuna's intermediate values.
func relay(ctx context.Context, tx *sql.Tx, trialID int64) error {
	var studyID int64
	if err := tx.QueryRowContext(ctx, `SELECT study_id FROM trials WHERE trial_id = ?`, trialID).Scan(&studyID); err != nil {
		return err
	}
	s, err := readStudy(ctx, tx, studyID)
	if err != nil {
		return err
	}
	objective, err := keyID(ctx, tx, studyID, s.Spec.Objective.Name)
	if err != nil {
		return err
	}
	for _, table := range []string{"trial_latest", "trial_intermediate_values"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE trial_id = ?`, trialID); err != nil {
			return err
		}
	}
	h, err := readHistory(ctx, tx, []int64{trialID}, 0)
	if err != nil {
		return err
	}
	for key, samples := range h[trialID] {
		last := samples[len(samples)-1]
		if err := setLatest(ctx, tx, trialID, key, last.Step, last.Value); err != nil {
			return err
		}
	}
	for _, p := range h[trialID][objective] {
		if err := setIntermediate(ctx, tx, trialID, p.Step, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// Curves reads the visible points of one metric for some trials of a study, by number. Trials without any are left out.
func (db *DB) Curves(ctx context.Context, studyID int64, key string, numbers []int) (map[int][]study.Sample, error) {
	out := map[int][]study.Sample{}
	err := db.view(ctx, func(tx *sql.Tx) error {
		s, err := readStudy(ctx, tx, studyID)
		if err != nil {
			return err
		}
		ids := make([]int64, 0, len(numbers))
		number := map[int64]int{}
		for _, n := range numbers {
			id, err := trialID(ctx, tx, s, n)
			if err != nil {
				return err
			}
			ids, number[id] = append(ids, id), n
		}
		var keyID int64
		err = tx.QueryRowContext(ctx, `SELECT key_id FROM metric_key WHERE study_id = ? AND name = ?`, studyID, key).Scan(&keyID)
		if err == nil {
			h, err := readHistory(ctx, tx, ids, keyID)
			if err != nil {
				return err
			}
			for id, byKey := range h {
				if c := byKey[keyID]; len(c) > 0 {
					out[number[id]] = c
				}
			}
		} else if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if key != s.Spec.Objective.Name {
			return nil
		}
		// Trials that Optuna ran have their objective's points in its table alone.
		for id, n := range number {
			if out[n] == nil {
				trials, err := loadTrials(ctx, tx, s, []int64{id}, true)
				if err != nil {
					return err
				}
				if c := trials[0].Curve; len(c) > 0 {
					out[n] = c
				}
			}
		}
		return nil
	})
	return out, wrap(err, "read curves of %s", fmt.Sprintf("%q", key))
}
