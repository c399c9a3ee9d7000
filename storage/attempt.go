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

// maxLosses is how often in a row a trial may be lost without a newer checkpoint before it fails as lost: something
// about it kills its process.
const maxLosses = 5

// States of an attempt beyond those of a trial.
const (
	attemptReleased = "released"
	attemptLost     = "lost"
)

// current checks that l is the current lease of its trial and returns the trial's number. Else the error is
// [study.ErrStale].
func current(ctx context.Context, tx *sql.Tx, l study.Lease) (number int, err error) {
	err = tx.QueryRowContext(ctx, `
		SELECT i.number FROM attempt a JOIN trial_info i ON i.trial_id = a.trial_id
		WHERE a.attempt_id = ? AND a.trial_id = ? AND i.study_id = ? AND a.state = 'running' AND a.epoch = ?4 AND i.epoch = ?4`,
		l.AttemptID, l.TrialID, l.StudyID, l.Epoch).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, study.ErrStale
	}
	return number, err
}

// checkpoint is where a trial can go on from; the zero value is its start.
type checkpoint struct {
	ordinal int // of the attempt that made it
	step    int
	digest  string
}

// newestCheckpoint finds the newest checkpoint of a trial whose file is good.
func newestCheckpoint(ctx context.Context, tx *sql.Tx, trialID int64, good func(digest string, size int64) bool) (checkpoint, error) {
	var found checkpoint
	err := each(ctx, tx, func(r *sql.Rows) error {
		var c checkpoint
		var size int64
		if err := r.Scan(&c.ordinal, &c.step, &c.digest, &size); err != nil {
			return err
		}
		if found.digest == "" && good(c.digest, size) {
			found = c
		}
		return nil
	}, `SELECT a.ordinal, f.step, f.digest, f.size FROM artifact f JOIN attempt a ON a.attempt_id = f.attempt_id
	    WHERE f.trial_id = ? AND f.kind = ? ORDER BY f.artifact_id DESC`, trialID, string(study.CheckpointFile))
	return found, err
}

// rewind hides the points that the trial's next attempt makes again: those after c. Optuna's intermediate values and the
// latest metrics follow.
func rewind(ctx context.Context, tx *sql.Tx, trialID int64, c checkpoint) error {
	if _, err := tx.ExecContext(ctx, `UPDATE trial_info SET head = ?, head_step = ? WHERE trial_id = ?`, c.ordinal, c.step, trialID); err != nil {
		return err
	}
	var any bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM attempt WHERE trial_id = ? AND points > 0)`, trialID).Scan(&any)
	if err != nil || !any {
		return err
	}
	return relay(ctx, tx, trialID)
}

// Begin turns a waiting trial into a running one, under a new epoch. It continues the newest checkpoint whose file is
// what its digest says: a damaged one would end every attempt that takes it up.
func (db *DB) Begin(ctx context.Context, trialID int64, place study.Place, now time.Time) (study.Attempt, *study.Resume, error) {
	a := study.Attempt{TrialID: trialID, Host: place.Host, Device: place.Device, Kind: place.Kind, Because: place.Because, Start: fromMicros(micros(now)), State: string(study.Running)}
	var resume *study.Resume
	sound := map[string]bool{}
	good := func(digest string, size int64) bool {
		ok, known := sound[digest]
		if !known {
			ok = db.files.sound(digest, size)
			sound[digest] = ok
		}
		return ok
	}
	// Files are read before the transaction, which other writers wait for; in it they are known.
	err := db.view(ctx, func(tx *sql.Tx) error {
		_, err := newestCheckpoint(ctx, tx, trialID, good)
		return err
	})
	if err != nil {
		return study.Attempt{}, nil, wrap(err, "begin trial with id %d", trialID)
	}
	err = db.update(ctx, func(tx *sql.Tx) error {
		resume = nil
		var studyID int64
		var number int
		var state string
		err := tx.QueryRowContext(ctx, `
			SELECT i.study_id, i.number, t.state, i.epoch + 1, i.attempts + 1
			FROM trial_info i JOIN trials t ON t.trial_id = i.trial_id WHERE i.trial_id = ?`, trialID).
			Scan(&studyID, &number, &state, &a.Epoch, &a.Ordinal)
		if errors.Is(err, sql.ErrNoRows) {
			return study.ErrNotFound
		} else if err != nil {
			return err
		}
		if state != optunaWaiting {
			return fmt.Errorf("trial %d is %s, not %s", number, state, optunaWaiting)
		}
		c, err := newestCheckpoint(ctx, tx, trialID, good)
		if err != nil {
			return err
		}
		if c.digest != "" {
			a.ResumedFrom, a.ResumedStep = c.ordinal, c.step
			resume = &study.Resume{Attempt: c.ordinal, Step: c.step, Digest: c.digest}
		}
		if err := rewind(ctx, tx, trialID, c); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `
			INSERT INTO attempt (trial_id, ordinal, epoch, host, device, start, active, state, resumed_from, resumed_step, kind, because)
			VALUES (?, ?, ?, ?, ?, ?6, ?6, 'running', ?, ?, ?, ?)`,
			trialID, a.Ordinal, a.Epoch, a.Host, a.Device, micros(now), a.ResumedFrom, a.ResumedStep, a.Kind, a.Because)
		if err != nil {
			return err
		}
		if a.ID, err = res.LastInsertId(); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE trial_info SET epoch = ?, attempts = ?, head = ?2, head_step = NULL, reason = '', message = '' WHERE trial_id = ?`,
			a.Epoch, a.Ordinal, trialID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE trials SET state = ?, datetime_start = coalesce(datetime_start, ?) WHERE trial_id = ?`,
			optunaRunning, optunaTime(now), trialID); err != nil {
			return err
		}
		body := map[string]any{
			"attempt": a.Ordinal, "host": a.Host, "device": a.Device, "resumed_from": a.ResumedFrom, "resumed_step": a.ResumedStep,
		}
		if a.Kind != "" {
			body["kind"] = a.Kind
		}
		if a.Because != "" {
			body["because"] = a.Because
		}
		return addEvent(ctx, tx, studyID, number, "began", body, now)
	})
	if err != nil {
		return study.Attempt{}, nil, wrap(err, "begin trial with id %d", trialID)
	}
	return a, resume, nil
}

// Commit stores files that belong to step: the files and every point of this lease so far are on the disk when it
// returns. A checkpoint replaces the trial's older ones.
func (db *DB) Commit(ctx context.Context, l study.Lease, step int, fs []study.File, now time.Time) error {
	rows, err := db.putAll(fs)
	if err != nil {
		return err
	}
	var dropped []string
	err = db.updateDurably(ctx, func(tx *sql.Tx) error {
		number, err := current(ctx, tx, l)
		if err != nil {
			return err
		}
		dropped = nil
		kinds := make([]study.FileKind, len(rows))
		for i, a := range rows {
			kinds[i] = a.Kind
			if a.Kind != study.CheckpointFile {
				continue
			}
			old, err := dropArtifacts(ctx, tx, `trial_id = ? AND kind = ?`, l.TrialID, string(a.Kind))
			if err != nil {
				return err
			}
			dropped = append(dropped, old...)
			if _, err := tx.ExecContext(ctx, `UPDATE trial_info SET losses = 0 WHERE trial_id = ?`, l.TrialID); err != nil {
				return err
			}
		}
		replaced, err := db.nameFiles(ctx, tx, l, step, rows, fs, now)
		if err != nil {
			return err
		}
		dropped = append(dropped, replaced...)
		if _, err := tx.ExecContext(ctx, `UPDATE attempt SET active = max(active, ?) WHERE attempt_id = ?`, micros(now), l.AttemptID); err != nil {
			return err
		}
		return addEvent(ctx, tx, l.StudyID, number, "committed", map[string]any{"step": step, "kinds": kinds}, now)
	})
	if err != nil {
		for _, a := range rows { // nobody names them now
			dropped = append(dropped, a.Digest)
		}
		db.tidy(ctx, dropped)
		return wrap(err, "commit step %d", step)
	}
	db.tidy(ctx, dropped)
	return nil
}

// Finish ends an attempt and puts its trial into next. A trial that is over loses its checkpoints; models are kept for
// the keep best finished trials of the study.
func (db *DB) Finish(ctx context.Context, l study.Lease, o study.Outcome, next study.State, keep int, now time.Time) error {
	switch {
	case o.State != study.Complete && o.State != study.Pruned && o.State != study.Failed && o.State != study.Waiting:
		return fmt.Errorf("finish: an attempt cannot end as %q", o.State)
	case !next.Final() && next != study.Waiting:
		return fmt.Errorf("finish: a trial cannot be put into state %q", next)
	}
	rows, err := db.putAll(o.Files)
	if err != nil {
		return err
	}
	var dropped []string
	err = db.updateDurably(ctx, func(tx *sql.Tx) error {
		dropped = nil
		number, err := current(ctx, tx, l)
		if err != nil {
			return err
		}
		if err := db.endAttempt(ctx, tx, l, o, now); err != nil {
			return err
		}
		if dropped, err = db.nameFiles(ctx, tx, l, 0, rows, o.Files, now); err != nil {
			return err
		}
		if next == study.Waiting {
			err = db.requeue(ctx, tx, l.TrialID)
		} else {
			var ended []string
			ended, err = endTrial(ctx, tx, l, o, next, keep, now)
			dropped = append(dropped, ended...)
		}
		if err != nil {
			return err
		}
		kind := "finished"
		if next == study.Waiting {
			kind = "requeued"
		}
		return addEvent(ctx, tx, l.StudyID, number, kind, map[string]any{
			"attempt": o.State, "state": next, "reason": o.Reason, "value": study.Number(o.Value),
		}, now)
	})
	if err != nil {
		for _, a := range rows {
			dropped = append(dropped, a.Digest)
		}
		db.tidy(ctx, dropped)
		return wrap(err, "finish")
	}
	db.tidy(ctx, dropped)
	return nil
}

// endAttempt closes the attempt of a current lease and charges the trial for it.
func (db *DB) endAttempt(ctx context.Context, tx *sql.Tx, l study.Lease, o study.Outcome, now time.Time) error {
	state := string(o.State)
	if o.State == study.Waiting {
		state = attemptReleased
	}
	if err := closeAttempt(ctx, tx, l.AttemptID, state, o.Reason, o.Message, micros(now)); err != nil {
		return err
	}
	own := o.State == study.Failed && o.Reason.Own()
	_, err := tx.ExecContext(ctx, `UPDATE trial_info SET failures = failures + ?, losses = 0, reason = ?, message = ? WHERE trial_id = ?`,
		own, string(o.Reason), o.Message, l.TrialID)
	if err != nil || o.State == study.Failed || len(o.Metrics) == 0 { // the latest values stay
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM trial_latest WHERE trial_id = ?`, l.TrialID); err != nil {
		return err
	}
	for key, v := range o.Metrics { // of the best epoch, whichever that is: step 0 gives way to a later attempt's
		id, err := keyID(ctx, tx, l.StudyID, key)
		if err != nil {
			return err
		}
		if err := setLatest(ctx, tx, l.TrialID, id, 0, v); err != nil {
			return err
		}
	}
	return nil
}

// closeAttempt ends an attempt at a time in microseconds, seals its points and adds its duration to its trial's.
func closeAttempt(ctx context.Context, tx *sql.Tx, attemptID int64, state string, reason study.Reason, message string, end int64) error {
	if err := seal(ctx, tx, attemptID, 1); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE attempt SET state = ?, reason = ?, message = ?, end = max(?, start) WHERE attempt_id = ?`,
		state, string(reason), message, end, attemptID)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE trial_info SET duration = coalesce(duration, 0) + (SELECT end - start FROM attempt WHERE attempt_id = ?1)
		WHERE trial_id = (SELECT trial_id FROM attempt WHERE attempt_id = ?1)`, attemptID)
	return err
}

// requeue puts a trial back to waiting at its newest checkpoint, which [DB.Begin] reads before it is taken up.
func (db *DB) requeue(ctx context.Context, tx *sql.Tx, trialID int64) error {
	c, err := newestCheckpoint(ctx, tx, trialID, db.files.whole)
	if err != nil {
		return err
	}
	if err := rewind(ctx, tx, trialID, c); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE trials SET state = ?, datetime_complete = NULL WHERE trial_id = ?`, optunaWaiting, trialID)
	return err
}

// endTrial puts a trial into a final state and drops the files that are no longer kept.
func endTrial(ctx context.Context, tx *sql.Tx, l study.Lease, o study.Outcome, next study.State, keep int, now time.Time) ([]string, error) {
	v, kind := optunaValue(o.Value)
	scored := (next == study.Complete || next == study.Pruned) && kind != "NAN"
	if scored {
		if _, err := tx.ExecContext(ctx, `INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, 0, ?, ?)`,
			l.TrialID, v, kind); err != nil {
			return nil, err
		}
	}
	state := optunaState(next)
	if next == study.Complete && !scored {
		state = optunaFailed // Optuna has no complete trial without a value
	}
	if _, err := tx.ExecContext(ctx, `UPDATE trials SET state = ?, datetime_complete = ? WHERE trial_id = ?`,
		state, optunaTime(now), l.TrialID); err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE trial_info SET class = ? WHERE trial_id = ?`, class(next), l.TrialID); err != nil {
		return nil, err
	}
	dropped, err := dropArtifacts(ctx, tx, `trial_id = ? AND kind = ?`, l.TrialID, string(study.CheckpointFile))
	if err != nil {
		return nil, err
	}
	best := o.BestStep
	if next != study.Complete {
		best = 0 // its newest picture is its last word
	}
	unkept, err := dropModels(ctx, tx, l, best, keep)
	return append(dropped, unkept...), err
}

// dropModels deletes the models of all but the keep best trials. Of the pictures of a trial without a model one stays, of
// the epoch that its model was of, else the newest: pictures by epoch are for trials that somebody may still want.
func dropModels(ctx context.Context, tx *sql.Tx, l study.Lease, best, keep int) ([]string, error) {
	type shown struct{ trial, step int64 }
	var without []shown
	var has bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM artifact WHERE trial_id = ? AND kind = ?)`,
		l.TrialID, string(study.ModelFile)).Scan(&has); err != nil {
		return nil, err
	}
	if !has {
		without = append(without, shown{l.TrialID, int64(best)})
	}
	const others = `study_id = ?1 AND kind = ?2 AND trial_id NOT IN (
		SELECT trial_id FROM trial_info WHERE study_id = ?1 AND class IN (0, 1) ORDER BY class, nan, score, trial_id LIMIT ?3)`
	err := each(ctx, tx, func(r *sql.Rows) error {
		var s shown
		err := r.Scan(&s.trial, &s.step)
		without = append(without, s)
		return err
	}, `SELECT trial_id, step FROM artifact WHERE `+others, l.StudyID, string(study.ModelFile), max(keep, 0))
	if err != nil {
		return nil, err
	}
	dropped, err := dropArtifacts(ctx, tx, others, l.StudyID, string(study.ModelFile), max(keep, 0))
	if err != nil {
		return nil, err
	}
	for _, s := range without {
		strips, err := dropArtifacts(ctx, tx, `trial_id = ?1 AND kind = ?2 AND step <> coalesce(
			(SELECT step FROM artifact WHERE trial_id = ?1 AND kind = ?2 AND step = ?3),
			(SELECT max(step) FROM artifact WHERE trial_id = ?1 AND kind = ?2))`, s.trial, string(study.StripFile), s.step)
		if err != nil {
			return nil, err
		}
		dropped = append(dropped, strips...)
	}
	return dropped, nil
}

// Reclaim ends the open attempts of a study as lost, at their last sign of life: nothing of ours runs them any more.
// Their trials go back to waiting, or fail when they were lost too often.
func (db *DB) Reclaim(ctx context.Context, studyID int64, now time.Time) (requeued int, err error) {
	var dropped []string
	err = db.updateDurably(ctx, func(tx *sql.Tx) error {
		requeued, dropped = 0, nil
		var opens []losing
		err := each(ctx, tx, func(r *sql.Rows) error {
			o := losing{lease: study.Lease{StudyID: studyID}}
			err := r.Scan(&o.lease.AttemptID, &o.lease.TrialID, &o.number, &o.active, &o.losses)
			opens = append(opens, o)
			return err
		}, `SELECT a.attempt_id, a.trial_id, i.number, a.active, i.losses + 1
		    FROM attempt a JOIN trial_info i ON i.trial_id = a.trial_id
		    WHERE a.state = 'running' AND i.study_id = ? ORDER BY a.attempt_id`, studyID)
		if err != nil {
			return err
		}
		for _, o := range opens {
			state, d, err := db.lose(ctx, tx, o, "its process ended without a word", now)
			if err != nil {
				return err
			}
			dropped = append(dropped, d...)
			if state == study.Waiting {
				requeued++
			}
		}
		return nil
	})
	if err != nil {
		return 0, wrap(err, "reclaim lost trials")
	}
	db.tidy(ctx, dropped)
	return requeued, nil
}

// Lose ends the attempt of a lease as lost: its device is gone, or its process. Its trial goes back to waiting, or fails
// when it was lost too often.
func (db *DB) Lose(ctx context.Context, l study.Lease, message string, now time.Time) (state study.State, err error) {
	var dropped []string
	err = db.updateDurably(ctx, func(tx *sql.Tx) error {
		o := losing{lease: l, active: micros(now)}
		var err error
		if o.number, err = current(ctx, tx, l); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `SELECT losses + 1 FROM trial_info WHERE trial_id = ?`, l.TrialID).Scan(&o.losses); err != nil {
			return err
		}
		state, dropped, err = db.lose(ctx, tx, o, message, now)
		return err
	})
	if err != nil {
		return "", wrap(err, "give up a lost attempt")
	}
	db.tidy(ctx, dropped)
	return state, nil
}

// losing is an attempt that is lost, with the end that it had and how often in a row that happened to its trial.
type losing struct {
	lease  study.Lease
	number int
	active int64
	losses int
}

// lose ends an attempt as lost. It returns its trial's state and the digests of files that are no longer kept.
func (db *DB) lose(ctx context.Context, tx *sql.Tx, o losing, message string, now time.Time) (study.State, []string, error) {
	if err := closeAttempt(ctx, tx, o.lease.AttemptID, attemptLost, study.ReasonLost, message, o.active); err != nil {
		return "", nil, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE trial_info SET losses = ? WHERE trial_id = ?`, o.losses, o.lease.TrialID); err != nil {
		return "", nil, err
	}
	kind, state := "requeued", study.Waiting
	var dropped []string
	if o.losses >= maxLosses {
		kind, state = "finished", study.Failed
		var err error
		dropped, err = endTrial(ctx, tx, o.lease, study.Outcome{State: study.Failed, Value: math.NaN()}, study.Failed, math.MaxInt32, now)
		if err != nil {
			return "", nil, err
		}
		why := fmt.Sprintf("lost %d times in a row without a newer checkpoint: %s", o.losses, message)
		if _, err := tx.ExecContext(ctx, `UPDATE trial_info SET reason = ?, message = ? WHERE trial_id = ?`,
			string(study.ReasonLost), why, o.lease.TrialID); err != nil {
			return "", nil, err
		}
	} else if err := db.requeue(ctx, tx, o.lease.TrialID); err != nil {
		return "", nil, err
	}
	return state, dropped, addEvent(ctx, tx, o.lease.StudyID, o.number, kind, map[string]any{
		"attempt": attemptLost, "state": state, "reason": study.ReasonLost,
	}, now)
}
