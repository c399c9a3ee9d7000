package storage

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"sweep/study"
)

// order is one way to sort trials: those that have the value sorted for, by keys, then those that lack it, by number.
// Each part is read by an index from where the last page ended.
type order struct {
	from    string   // tables of the first part; trial_info is t
	present string   // condition of the first part
	keys    []string // columns of the first part; the trial's id, which rises with its number, is always added
	missing string   // condition of the second part over trial_info t; empty: none lacks the value
	args    []any    // of present and of missing alike, after the study's id
}

// orderOf reads the sort key of a query.
func orderOf(sort string) (order, error) {
	const info = "trial_info t"
	switch {
	case sort == "" || sort == "rank":
		return order{from: info, keys: []string{"t.class", "t.nan", "t.score"}}, nil
	case sort == "number":
		return order{from: info}, nil
	case sort == "state":
		return order{from: info, keys: []string{"t.class"}}, nil
	case sort == "value":
		return order{from: info, present: "t.value IS NOT NULL", keys: []string{"t.value"}, missing: "t.value IS NULL"}, nil
	case sort == "duration":
		return order{from: info, present: "t.duration IS NOT NULL", keys: []string{"t.duration"}, missing: "t.duration IS NULL"}, nil
	case strings.HasPrefix(sort, "param:"):
		return order{
			from:    "trial_params p CROSS JOIN trial_info t ON t.trial_id = p.trial_id",
			present: "p.param_name = ? AND p.param_value IS NOT NULL",
			keys:    []string{"p.param_value"},
			missing: "NOT EXISTS (SELECT 1 FROM trial_params p WHERE p.trial_id = t.trial_id AND p.param_name = ? AND p.param_value IS NOT NULL)",
			args:    []any{strings.TrimPrefix(sort, "param:")},
		}, nil
	case strings.HasPrefix(sort, "metric:"):
		const key = "(SELECT key_id FROM metric_key WHERE study_id = t.study_id AND name = ?)"
		return order{
			from:    "trial_latest l CROSS JOIN trial_info t ON t.trial_id = l.trial_id",
			present: "l.key_id = (SELECT key_id FROM metric_key WHERE study_id = ?1 AND name = ?) AND l.value IS NOT NULL",
			keys:    []string{"l.value"},
			missing: "NOT EXISTS (SELECT 1 FROM trial_latest l WHERE l.trial_id = t.trial_id AND l.key_id = " + key + " AND l.value IS NOT NULL)",
			args:    []any{strings.TrimPrefix(sort, "metric:")},
		}, nil
	}
	return order{}, fmt.Errorf("%w: sort %q is not one of rank, number, state, duration, value, param:NAME, metric:NAME", ErrQuery, sort)
}

// id is the last key: it makes the order total. trial_info's is the same as that of the table which the index is on.
func (o order) id() string {
	if table, _, ok := strings.Cut(o.from, " CROSS JOIN"); ok {
		return table[strings.LastIndexByte(table, ' ')+1:] + ".trial_id"
	}
	return "t.trial_id"
}

// cursor is where a page ended. It travels as text that only this file reads.
type cursor struct {
	Sort string   `json:"s"`
	Desc bool     `json:"d,omitempty"`
	Part int      `json:"p,omitempty"`
	Keys []string `json:"k,omitempty"` // exact, infinities too
	ID   int64    `json:"i"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil { // strings and numbers always encode
		panic("storage: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func readCursor(q study.Query, keys int) (cursor, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(q.After)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Sort != q.Sort || c.Desc != q.Desc || c.Part < 0 || c.Part > 1 || (c.Part == 0 && len(c.Keys) != keys) {
		return c, fmt.Errorf("%w: the cursor does not belong to this list; start from its first page", ErrQuery)
	}
	return c, nil
}

// Query reads one page of a study's trials, with their curves. A sort or cursor that is none is [ErrQuery].
func (db *DB) Query(ctx context.Context, studyID int64, q study.Query) (study.Page, error) {
	page, err := db.query(ctx, studyID, q)
	return page, wrap(err, "list trials")
}

func (db *DB) query(ctx context.Context, studyID int64, q study.Query) (study.Page, error) {
	o, err := orderOf(q.Sort)
	if err != nil {
		return study.Page{}, err
	}
	at := cursor{Sort: q.Sort, Desc: q.Desc}
	if q.After != "" {
		if at, err = readCursor(q, len(o.keys)); err != nil {
			return study.Page{}, err
		}
	}
	filter, err := stateFilter(q.States)
	if err != nil {
		return study.Page{}, err
	}
	var page study.Page
	err = db.view(ctx, func(tx *sql.Tx) error {
		s, err := readStudy(ctx, tx, studyID)
		if err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM trial_info t WHERE t.study_id = ?`+filter, studyID).Scan(&page.Total); err != nil {
			return err
		}
		want := math.MaxInt32
		if q.Limit > 0 {
			want = q.Limit + 1 // one more tells whether there is a next page
		}
		var rows []cursor
		if at.Part == 0 {
			if rows, err = o.firstPart(ctx, tx, studyID, filter, at, q.After != "", want); err != nil {
				return err
			}
		}
		if o.missing != "" && len(rows) < want {
			after := int64(-1)
			if at.Part == 1 {
				after = at.ID
			}
			more, err := o.secondPart(ctx, tx, studyID, filter, at, after, want-len(rows))
			if err != nil {
				return err
			}
			rows = append(rows, more...)
		}
		if q.Limit > 0 && len(rows) > q.Limit {
			rows = rows[:q.Limit]
			page.Next = rows[q.Limit-1].String()
		}
		ids := make([]int64, len(rows))
		for i, r := range rows {
			ids[i] = r.ID
		}
		if page.Trials, err = loadTrials(ctx, tx, s, ids, true); err != nil {
			return err
		}
		return addTestMetrics(ctx, tx, studyID, page.Trials)
	})
	return page, err
}

func (o order) firstPart(ctx context.Context, tx *sql.Tx, studyID int64, filter string, at cursor, resume bool, limit int) ([]cursor, error) {
	keys := append(slices.Clone(o.keys), o.id())
	where := "t.study_id = ?1" + filter
	args := append([]any{studyID}, o.args...)
	if o.present != "" {
		where += " AND " + o.present
	}
	compare, direction := ">", ""
	if at.Desc {
		compare, direction = "<", " DESC"
	}
	if resume {
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(keys)), ", ")
		where += " AND (" + strings.Join(keys, ", ") + ") " + compare + " (" + marks + ")"
		for _, k := range at.Keys {
			v, err := strconv.ParseFloat(k, 64)
			if err != nil {
				return nil, fmt.Errorf("%w: the cursor is damaged; start from the first page", ErrQuery)
			}
			args = append(args, v)
		}
		args = append(args, at.ID)
	}
	var out []cursor
	err := each(ctx, tx, func(r *sql.Rows) error {
		values := make([]float64, len(o.keys))
		c := cursor{Sort: at.Sort, Desc: at.Desc}
		into := make([]any, 0, len(keys))
		for i := range values {
			into = append(into, &values[i])
		}
		if err := r.Scan(append(into, &c.ID)...); err != nil {
			return err
		}
		for _, v := range values {
			c.Keys = append(c.Keys, strconv.FormatFloat(v, 'g', -1, 64))
		}
		out = append(out, c)
		return nil
	}, "SELECT "+strings.Join(keys, ", ")+" FROM "+o.from+" WHERE "+where+
		" ORDER BY "+strings.Join(keys, direction+", ")+direction+" LIMIT ?", append(args, limit)...)
	return out, err
}

func (o order) secondPart(ctx context.Context, tx *sql.Tx, studyID int64, filter string, at cursor, after int64, limit int) ([]cursor, error) {
	var out []cursor
	args := append([]any{studyID}, o.args...)
	err := each(ctx, tx, func(r *sql.Rows) error {
		c := cursor{Sort: at.Sort, Desc: at.Desc, Part: 1}
		err := r.Scan(&c.ID)
		out = append(out, c)
		return err
	}, "SELECT t.trial_id FROM trial_info t WHERE t.study_id = ?1"+filter+" AND "+o.missing+" AND t.trial_id > ? ORDER BY t.trial_id LIMIT ?",
		append(args, after, limit)...)
	return out, err
}

// stateFilter is the condition that a trial is in one of the states; all of them when there is none.
func stateFilter(states []study.State) (string, error) {
	if len(states) == 0 {
		return "", nil
	}
	classes := make([]string, len(states))
	for i, s := range states {
		c := class(s)
		if c == len(study.States) {
			return "", fmt.Errorf("%w: state %q is not one of complete, pruned, running, waiting, failed", ErrQuery, s)
		}
		classes[i] = strconv.Itoa(c)
	}
	return " AND t.class IN (" + strings.Join(classes, ", ") + ")", nil
}

// Detail reads all that is known of one trial.
func (db *DB) Detail(ctx context.Context, studyID int64, number int) (study.Detail, error) {
	var d study.Detail
	err := db.view(ctx, func(tx *sql.Tx) error {
		s, err := readStudy(ctx, tx, studyID)
		if err != nil {
			return err
		}
		id, err := trialID(ctx, tx, s, number)
		if err != nil {
			return err
		}
		trials, err := loadTrials(ctx, tx, s, []int64{id}, true)
		if err != nil {
			return err
		}
		if err := addTestMetrics(ctx, tx, studyID, trials); err != nil {
			return err
		}
		d = study.Detail{Trial: trials[0], History: map[string][]study.Sample{}}
		err = each(ctx, tx, func(r *sql.Rows) error {
			a := study.Attempt{TrialID: id}
			var start int64
			var end sql.NullInt64
			if err := r.Scan(&a.ID, &a.Ordinal, &a.Epoch, &a.Host, &a.Device, &start, &end, &a.State, &a.Reason, &a.Message,
				&a.ResumedFrom, &a.ResumedStep, &a.Kind, &a.Because); err != nil {
				return err
			}
			a.Start, a.End = fromMicros(start), fromMicros(end.Int64)
			d.List = append(d.List, a)
			return nil
		}, `SELECT attempt_id, ordinal, epoch, host, device, start, end, state, reason, message, resumed_from, resumed_step, kind, because
		    FROM attempt WHERE trial_id = ? ORDER BY ordinal`, id)
		if err != nil {
			return err
		}
		err = each(ctx, tx, func(r *sql.Rows) error {
			var a study.Artifact
			err := r.Scan(&a.Kind, &a.Name, &a.Media, &a.Step, &a.Size, &a.Digest)
			d.Artifacts = append(d.Artifacts, a)
			return err
		}, `SELECT kind, name, media, step, size, digest FROM artifact WHERE trial_id = ? ORDER BY step, artifact_id`, id)
		if err != nil {
			return err
		}
		names := map[int64]string{}
		err = each(ctx, tx, func(r *sql.Rows) error {
			var key int64
			var name string
			err := r.Scan(&key, &name)
			names[key] = name
			return err
		}, `SELECT key_id, name FROM metric_key WHERE study_id = ?`, studyID)
		if err != nil {
			return err
		}
		h, err := readHistory(ctx, tx, []int64{id}, 0)
		if err != nil {
			return err
		}
		for key, c := range h[id] {
			d.History[names[key]] = c
		}
		if len(d.List) == 0 && len(d.Curve) > 0 { // a trial that Optuna ran
			d.History[s.Spec.Objective.Name] = d.Curve
		}
		return nil
	})
	return d, wrap(err, "read trial %d", number)
}
