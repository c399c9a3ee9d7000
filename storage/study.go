package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"sweep/study"
)

// CreateStudy stores a new study. It fails with [ErrExists] when the name is taken.
func (db *DB) CreateStudy(ctx context.Context, spec study.Spec, data study.Data, now time.Time) (study.Study, error) {
	s := study.Study{Name: spec.Name, Spec: spec, Data: data, Created: fromMicros(micros(now))}
	switch {
	case spec.Name == "":
		return study.Study{}, errors.New("create study: it has no name")
	case len(spec.Name) > 512:
		return study.Study{}, errors.New("create study: its name is longer than 512 bytes")
	}
	direction := "MINIMIZE"
	if spec.Objective.Direction == study.Maximize {
		direction = "MAXIMIZE"
	}
	err := db.updateDurably(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO studies (study_name) VALUES (?)`, spec.Name)
		if constraint(err) {
			return ErrExists
		} else if err != nil {
			return err
		}
		if s.ID, err = res.LastInsertId(); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO study_directions (direction, study_id, objective) VALUES (?, ?, 0)`,
			direction, s.ID); err != nil {
			return err
		}
		// Optuna's own attribute for the name of the objective: its plots and its dashboard show it.
		names, err := json.Marshal([]string{spec.Objective.Name})
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO study_system_attributes (study_id, "key", value_json) VALUES (?, 'study:metric_names', ?)`,
			s.ID, string(names)); err != nil {
			return err
		}
		specJSON, err := json.Marshal(spec)
		if err != nil {
			return err
		}
		dataJSON, err := json.Marshal(data)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO study_spec (study_id, spec, data, created) VALUES (?, ?, ?, ?)`,
			s.ID, string(specJSON), string(dataJSON), micros(now)); err != nil {
			return err
		}
		return addEvent(ctx, tx, s.ID, -1, "created", map[string]any{"name": spec.Name}, now)
	})
	if err != nil {
		return study.Study{}, wrap(err, "create study %q", spec.Name)
	}
	return s, nil
}

// Study reads the study called name. Where there is none, the error is [study.ErrNotFound] and says which there are.
func (db *DB) Study(ctx context.Context, name string) (study.Study, error) {
	var s study.Study
	err := db.view(ctx, func(tx *sql.Tx) error {
		var err error
		s, err = readStudyNamed(ctx, tx, name)
		return err
	})
	return s, err
}

func readStudyNamed(ctx context.Context, tx *sql.Tx, name string) (study.Study, error) {
	var id int64
	err := tx.QueryRowContext(ctx, `SELECT study_id FROM studies s WHERE study_name = ? AND `+stays, name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return study.Study{}, noStudy(ctx, tx, name)
	}
	if err != nil {
		return study.Study{}, err
	}
	return readStudy(ctx, tx, id)
}

// noStudy is the error about a study that does not exist: it says which there are, the newest first.
func noStudy(ctx context.Context, tx *sql.Tx, name string) error {
	const most = 20
	var names []string
	err := each(ctx, tx, func(r *sql.Rows) error {
		var n string
		err := r.Scan(&n)
		names = append(names, plain(n))
		return err
	}, `SELECT study_name FROM studies s WHERE `+stays+` ORDER BY study_id DESC LIMIT ?`, most+1)
	if err != nil {
		return err
	}
	there := "there are " + strings.Join(names[:min(len(names), most)], ", ")
	switch {
	case len(names) == 0:
		there = "there are none yet"
	case len(names) == 1:
		there = "there is " + names[0]
	case len(names) > most:
		there += " and more"
	}
	return absent(fmt.Sprintf("there is no study %q: %s", name, there))
}

// plain is a study's name inside a sentence: in quotes where it would not be seen as one word.
func plain(name string) string {
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.+=@", r) {
			return strconv.Quote(name)
		}
	}
	return name
}

// readStudy reads a study by its id. One that Optuna made has no spec of ours: what is known of it is put in its place.
func readStudy(ctx context.Context, tx *sql.Tx, id int64) (study.Study, error) {
	s := study.Study{ID: id}
	var spec, data sql.NullString
	var created sql.NullInt64
	var direction string
	err := tx.QueryRowContext(ctx, `
		SELECT s.study_name, p.spec, p.data, p.created,
		       coalesce((SELECT direction FROM study_directions d WHERE d.study_id = s.study_id AND d.objective = 0), '')
		FROM studies s LEFT JOIN study_spec p USING (study_id)
		WHERE s.study_id = ? AND `+stays, id).Scan(&s.Name, &spec, &data, &created, &direction)
	if errors.Is(err, sql.ErrNoRows) {
		return s, absent(fmt.Sprintf("there is no study with id %d", id))
	} else if err != nil {
		return s, err
	}
	if spec.Valid {
		s.Created = fromMicros(created.Int64)
		if err := json.Unmarshal([]byte(spec.String), &s.Spec); err != nil {
			return s, fmt.Errorf("read the spec of study %q: %w", s.Name, err)
		}
		return s, wrap(json.Unmarshal([]byte(data.String), &s.Data), "read the data of study %q", s.Name)
	}
	s.Spec = study.Spec{Name: s.Name, Method: "optuna", Trainer: "optuna"}
	s.Spec.Objective = study.Objective{Name: "value", Direction: study.Minimize}
	if direction == "MAXIMIZE" {
		s.Spec.Objective.Direction = study.Maximize
	}
	var first sql.NullTime
	err = tx.QueryRowContext(ctx, `SELECT datetime_start FROM trials WHERE study_id = ? AND datetime_start IS NOT NULL ORDER BY trial_id LIMIT 1`,
		id).Scan(&first)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return s, err
	}
	s.Created = first.Time
	return s, nil
}

// SetRunCap changes how many trials a study is to have.
func (db *DB) SetRunCap(ctx context.Context, studyID int64, runCap int) error {
	err := db.updateDurably(ctx, func(tx *sql.Tx) error {
		s, err := readStudy(ctx, tx, studyID)
		if err != nil {
			return err
		}
		s.Spec.RunCap = runCap
		spec, err := json.Marshal(s.Spec)
		if err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE study_spec SET spec = ? WHERE study_id = ?`, string(spec), studyID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return fmt.Errorf("study %q was not made by sweep", s.Name)
	})
	return wrap(err, "set the run cap")
}

// Studies reads every study, the newest first.
func (db *DB) Studies(ctx context.Context) ([]study.Summary, error) {
	var out []study.Summary
	err := db.view(ctx, func(tx *sql.Tx) error {
		var ids []int64
		err := each(ctx, tx, func(r *sql.Rows) error {
			var id int64
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT study_id FROM studies s WHERE `+stays+` ORDER BY study_id DESC`)
		if err != nil {
			return err
		}
		for _, id := range ids {
			s, err := db.summary(ctx, tx, id)
			if err != nil {
				return err
			}
			out = append(out, s)
		}
		return nil
	})
	return out, wrap(err, "list studies")
}

// Summary reads the study called name; see [DB.Study].
func (db *DB) Summary(ctx context.Context, name string) (study.Summary, error) {
	var out study.Summary
	err := db.view(ctx, func(tx *sql.Tx) error {
		s, err := readStudyNamed(ctx, tx, name)
		if err != nil {
			return err
		}
		out, err = db.summary(ctx, tx, s.ID)
		return err
	})
	return out, err
}

// bytesOfStudy is answered by the index artifact_content alone.
const bytesOfStudy = `SELECT coalesce(sum(size), 0) FROM (SELECT DISTINCT digest, size FROM artifact WHERE study_id = ?)`

func (db *DB) summary(ctx context.Context, tx *sql.Tx, id int64) (study.Summary, error) {
	st, err := readStudy(ctx, tx, id)
	if err != nil {
		return study.Summary{}, err
	}
	out := study.Summary{Study: st, Counts: map[study.State]int{}, Activity: st.Created}
	err = each(ctx, tx, func(r *sql.Rows) error {
		var class, n int
		err := r.Scan(&class, &n)
		if err == nil && class < len(study.States) {
			out.Counts[study.States[class]] = n
		}
		return err
	}, `SELECT class, count(*) FROM trial_info WHERE study_id = ? GROUP BY class`, id)
	if err != nil {
		return out, err
	}
	var best int64
	err = tx.QueryRowContext(ctx, `SELECT trial_id FROM trial_info WHERE study_id = ? AND class = 0 AND nan = 0 ORDER BY score, trial_id LIMIT 1`,
		id).Scan(&best)
	if err == nil {
		trials, err := loadTrials(ctx, tx, st, []int64{best}, true)
		if err != nil {
			return out, err
		}
		out.Best = &trials[0]
	} else if !errors.Is(err, sql.ErrNoRows) {
		return out, err
	}
	var last int64
	err = tx.QueryRowContext(ctx, `SELECT time FROM event WHERE study_id = ? ORDER BY seq DESC LIMIT 1`, id).Scan(&last)
	if err == nil {
		out.Activity = fromMicros(last)
	} else if !errors.Is(err, sql.ErrNoRows) {
		return out, err
	}
	if err := tx.QueryRowContext(ctx, bytesOfStudy, id).Scan(&out.Bytes); err != nil {
		return out, err
	}
	if out.Wish, err = wish(ctx, tx, id); err != nil {
		return out, err
	}
	h, held := Held(db.file)
	out.Live = held && h.Study == st.Name
	return out, nil
}
