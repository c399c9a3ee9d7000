package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A study is deleted in many transactions, since one would hold up a running sweep of another for as long as it takes:
// seconds where there are thousands of trials. The first marks the study, and from then on no reader sees it; the last
// removes its row. What is cut off in between is finished by the next deletion or by the next holder of the lock.

const (
	// deletedKey is an attribute, in Optuna's table, of a study that is being deleted; its value is the name it had.
	deletedKey = "sweep:deleted"
	// stays is the condition that a row of studies s is not being deleted.
	stays = `NOT EXISTS (SELECT 1 FROM study_system_attributes d WHERE d.study_id = s.study_id AND d."key" = '` + deletedKey + `')`
	// deleteRows is how many rows one transaction removes, about; it takes some milliseconds.
	deleteRows = 500
	// deleteTrials is how many trials are removed at a time.
	deleteTrials = 10
	// deleteFiles is how many files are removed under one write lock.
	deleteFiles = 100
)

// DeleteStudy removes a study, its files and their disk space. It is refused with [ErrInUse] while a process runs it. A
// sweep of another study that runs meanwhile never waits long.
func (db *DB) DeleteStudy(ctx context.Context, name string) error {
	// Where no process runs anything, hold the lock meanwhile, so that none can start on what is being removed.
	l, err := Lock(db.file, Holder{Command: "delete a study"})
	switch {
	case err == nil:
		defer l.Release()
	case !errors.Is(err, ErrInUse):
		return wrap(err, "delete study %q", name)
	}
	alone := err == nil
	if err := db.markDeleted(ctx, name, alone); err != nil {
		return wrap(err, "delete study %q", name)
	}
	if err := db.finishDeletions(ctx, alone); err != nil {
		return wrap(err, "delete study %q", name)
	}
	return wrap(db.shrink(ctx, alone), "free the disk space of study %q", name)
}

// markDeleted hides a study from all readers, durably, and frees its name.
func (db *DB) markDeleted(ctx context.Context, name string, alone bool) error {
	return db.updateDurably(ctx, func(tx *sql.Tx) error {
		// Here, where nobody can begin a study unseen: who starts after this transaction does not find it any more.
		if h, held := Held(db.file); held && !alone && (h.Study == name || h.Study == "") {
			return &HeldError{db.path, h}
		}
		text, err := json.Marshal(name)
		if err != nil {
			return err
		}
		var id int64
		err = tx.QueryRowContext(ctx, `SELECT study_id FROM studies s WHERE study_name = ? AND `+stays, name).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			var cut bool // off, an earlier deletion of it
			err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM study_system_attributes WHERE "key" = ? AND value_json = ?)`,
				deletedKey, string(text)).Scan(&cut)
			if err != nil || cut {
				return err
			}
			return noStudy(ctx, tx, name)
		} else if err != nil {
			return err
		}
		// Removed with the rest, but its number stays used: pages that watch it look again.
		if err := addEvent(ctx, tx, id, -1, "deleted", map[string]any{"name": name}, time.Time{}); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO study_system_attributes (study_id, "key", value_json) VALUES (?, ?, ?)`,
			id, deletedKey, string(text)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE studies SET study_name = ? WHERE study_id = ?`, fmt.Sprintf("%s (being deleted, %d)", name, id), id)
		return err
	})
}

// finishDeletions removes the studies that are marked, and their files. Where it is not alone on the database it leaves
// the write lock to others for as long as it had it.
func (db *DB) finishDeletions(ctx context.Context, alone bool) error {
	var marked []int64
	err := db.view(ctx, func(tx *sql.Tx) error {
		return each(ctx, tx, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			marked = append(marked, id)
			return err
		}, `SELECT study_id FROM study_system_attributes WHERE "key" = ?`, deletedKey)
	})
	if err != nil {
		return err
	}
	var unnamed []string
	for _, id := range marked {
		for done := false; !done; {
			err := considerately(ctx, alone, func() error {
				// It is short, and to watch for the end of ctx during each statement takes longer than most of them.
				return db.update(context.WithoutCancel(ctx), func(tx *sql.Tx) error {
					var digests []string
					var err error
					done, digests, err = deleteSome(ctx, tx, id)
					unnamed = append(unnamed, digests...)
					return err
				})
			})
			if err != nil {
				return err
			}
		}
		// With this the disk has all that went before, so that no row comes back whose file is gone.
		err := db.updateDurably(ctx, func(tx *sql.Tx) error {
			for _, table := range []string{"study_directions", "study_user_attributes", "study_system_attributes", "studies"} {
				if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE study_id = ?`, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(unnamed)
	for digests := range slices.Chunk(slices.Compact(unnamed), deleteFiles) {
		if err := considerately(ctx, alone, func() error { return db.removeUnused(ctx, digests) }); err != nil {
			return fmt.Errorf("remove its files: %w", err)
		}
	}
	return nil
}

// considerately runs a transaction of a long work and then waits as long as that took: who waits for the write lock looks
// for it now and then only, and would hardly ever find it free.
func considerately(ctx context.Context, alone bool, transaction func() error) error {
	began := time.Now()
	if err := transaction(); err != nil {
		return err
	}
	if alone {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(max(time.Since(began), time.Millisecond)):
		return nil
	}
}

// partsOfTrials are what trials have any number of, and Optuna's tables about them, whose rows have to go before their own.
var partsOfTrials = []string{
	`trial_intermediate_values WHERE rowid IN (SELECT rowid FROM trial_intermediate_values WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`metric_chunk WHERE rowid IN (
		SELECT c.rowid FROM attempt a JOIN metric_chunk c USING (attempt_id) WHERE a.trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`metric_tail WHERE (attempt_id, key_id, ord) IN (
		SELECT m.attempt_id, m.key_id, m.ord FROM attempt a JOIN metric_tail m USING (attempt_id) WHERE a.trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`trial_latest WHERE (trial_id, key_id) IN (
		SELECT trial_id, key_id FROM trial_latest WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`trial_params WHERE rowid IN (SELECT rowid FROM trial_params WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`trial_values WHERE rowid IN (SELECT rowid FROM trial_values WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`trial_user_attributes WHERE rowid IN (SELECT rowid FROM trial_user_attributes WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`trial_system_attributes WHERE rowid IN (SELECT rowid FROM trial_system_attributes WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
	`trial_heartbeats WHERE rowid IN (SELECT rowid FROM trial_heartbeats WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`,
}

// partsOfStudy are the tables that hold any number of rows of a study.
var partsOfStudy = []string{"event", "export", "request", "metric_key"}

// deleteSome removes about deleteRows rows of a study: its trials, some at a time, then what else it has but the few rows
// of Optuna's that make it a study. done says that nothing else is left. digests are those of the files that lost a name.
func deleteSome(ctx context.Context, tx *sql.Tx, studyID int64) (done bool, digests []string, err error) {
	left := int64(deleteRows)
	some := func(what string, of any) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM `+what, of, left)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		left -= n
		return err
	}
	for left > 0 {
		var trials []int64
		err := each(ctx, tx, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			trials = append(trials, id)
			return err
		}, `SELECT trial_id FROM trials WHERE study_id = ? ORDER BY trial_id LIMIT ?`, studyID, deleteTrials)
		if err != nil {
			return false, nil, err
		}
		if len(trials) == 0 {
			break
		}
		in := list(trials)
		for i := 0; i < len(partsOfTrials) && left > 0; i++ {
			if err := some(partsOfTrials[i], in); err != nil {
				return false, nil, err
			}
		}
		if left > 0 {
			d, err := dropArtifacts(ctx, tx, `artifact_id IN (
				SELECT artifact_id FROM artifact WHERE trial_id IN (SELECT value FROM json_each(?)) LIMIT ?)`, in, left)
			if err != nil {
				return false, nil, err
			}
			digests = append(digests, d...)
			left -= int64(len(d))
		}
		if left <= 0 {
			break // some of it may be there still
		}
		// A trigger removes their attempts and what we know of them.
		if _, err := tx.ExecContext(ctx, `DELETE FROM trials WHERE trial_id IN (SELECT value FROM json_each(?))`, in); err != nil {
			return false, nil, err
		}
		left -= 3 * int64(len(trials))
	}
	for i := 0; i < len(partsOfStudy) && left > 0; i++ {
		t := partsOfStudy[i]
		if err := some(t+` WHERE rowid IN (SELECT rowid FROM `+t+` WHERE study_id = ? LIMIT ?)`, studyID); err != nil {
			return false, nil, err
		}
	}
	return left > 0, digests, nil
}

// shrink gives free pages of the file back to the file system.
func (db *DB) shrink(ctx context.Context, alone bool) error {
	w, err := db.writer()
	if err != nil {
		return err
	}
	var mode int
	if err := w.QueryRowContext(ctx, `PRAGMA auto_vacuum`).Scan(&mode); err != nil {
		return explain(db.path, err)
	}
	switch {
	case mode == 0 && !alone: // a file that Optuna made: it can only be written anew, and others would wait
		return nil
	case mode == 0:
		if _, err := w.ExecContext(ctx, `VACUUM`); err != nil {
			return explain(db.path, err)
		}
	default:
		for free := 1; free > 0; {
			err := considerately(ctx, alone, func() error { return db.vacuumSome(ctx) })
			if err != nil {
				return err
			}
			if err := w.QueryRowContext(ctx, `PRAGMA freelist_count`).Scan(&free); err != nil {
				return explain(db.path, err)
			}
		}
	}
	// The log holds the shrunk pages until it is emptied; a reader in the way only puts that off. To cut it off as well
	// keeps others from writing until the last reader is done.
	checkpoint := `PRAGMA wal_checkpoint(PASSIVE)`
	if alone {
		checkpoint = `PRAGMA wal_checkpoint(TRUNCATE)`
	}
	_, err = w.ExecContext(ctx, checkpoint)
	return explain(db.path, err)
}

// vacuumSome frees some pages in one transaction. The pragma frees a page a row, so its rows have to be read.
func (db *DB) vacuumSome(ctx context.Context) error {
	w, err := db.writer()
	if err != nil {
		return err
	}
	rows, err := w.QueryContext(ctx, `PRAGMA incremental_vacuum(`+fmt.Sprint(deleteRows)+`)`)
	if err != nil {
		return explain(db.path, err)
	}
	for rows.Next() {
	}
	return explain(db.path, errors.Join(rows.Err(), rows.Close()))
}
