package storage_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/storage"
	"sweep/study"
)

// fill gives a study n trials in all states, with ties, missing metrics, NaN and infinities.
func fill(t testing.TB, db *storage.DB, s study.Study, n int, rng *rand.Rand) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	space := s.Spec.Space
	for i := range n {
		params := study.Params{}
		for _, d := range space {
			switch d.Distribution.Kind {
			case study.Categorical:
				params[d.Name] = d.Distribution.External(float64(rng.IntN(len(d.Distribution.Choices))))
			default:
				params[d.Name] = d.Distribution.External(d.Distribution.Low + rng.Float64()*(d.Distribution.High-d.Distribution.Low))
			}
		}
		p, err := db.Propose(ctx, s.ID, study.Proposal{Params: params, Space: space, Sampler: "random", Now: start})
		check(err)
		fate := rng.IntN(20)
		if fate == 0 {
			continue // waits
		}
		now := start.Add(time.Duration(i) * time.Minute)
		a, _, err := db.Begin(ctx, p.ID, study.Place{Host: "host", Device: "cpu:0"}, now)
		check(err)
		l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
		value := float64(rng.IntN(n)) / float64(n)
		switch rng.IntN(25) {
		case 0:
			value = math.Inf(1)
		case 1:
			value = math.Inf(-1)
		case 2:
			value = math.NaN()
		}
		var points []study.Point
		metrics := map[string]float64{"val_mse": value}
		for step := range 10 {
			points = append(points, study.Point{Key: "val_mse", Step: step + 1, Value: value + 1/float64(step+1), Time: now})
		}
		if rng.IntN(3) > 0 {
			metrics["val_ssim"] = float64(rng.IntN(20))
			if rng.IntN(10) == 0 {
				metrics["val_ssim"] = math.NaN()
			}
		}
		check(db.Append(ctx, l, 1, points, "val_mse"))
		if fate == 1 {
			continue // runs
		}
		o := study.Outcome{State: study.Complete, Value: value, Metrics: metrics}
		switch {
		case fate < 4:
			o = study.Outcome{State: study.Failed, Reason: study.ReasonError, Message: "no luck"}
		case fate < 10:
			o.State = study.Pruned
		}
		check(db.Finish(ctx, l, o, o.State, 10, now.Add(time.Duration(rng.IntN(50))*time.Second)))
	}
}

// reference orders trials in plain Go as [study.Query] says.
func reference(trials []study.Trial, q study.Query, s study.Study) []int {
	var present, missing []study.Trial
	key := func(t study.Trial) []float64 {
		switch {
		case q.Sort == "rank" || q.Sort == "":
			class := float64(slices.Index(study.States[:], t.State))
			if class > 1 {
				return []float64{class}
			}
			v := t.Value
			if s.Spec.Objective.Direction == study.Maximize {
				v = -v
			}
			if math.IsNaN(v) {
				return []float64{class, 1, 0}
			}
			return []float64{class, 0, v}
		case q.Sort == "number":
			return []float64{}
		case q.Sort == "state":
			return []float64{float64(slices.Index(study.States[:], t.State))}
		case q.Sort == "value" && !math.IsNaN(t.Value):
			return []float64{t.Value}
		case q.Sort == "duration" && t.State.Final():
			return []float64{float64(t.Duration)}
		case strings.HasPrefix(q.Sort, "param:"):
			d, ok := s.Spec.Space.Lookup(q.Sort[len("param:"):])
			if ok {
				v, err := d.Distribution.Internal(t.Params[d.Name])
				if err != nil {
					panic(err)
				}
				return []float64{v}
			}
		case strings.HasPrefix(q.Sort, "metric:"):
			if v, ok := t.Metrics[q.Sort[len("metric:"):]]; ok && !math.IsNaN(v) {
				return []float64{v}
			}
		}
		return nil
	}
	for _, t := range trials {
		if len(q.States) > 0 && !slices.Contains(q.States, t.State) {
			continue
		}
		if key(t) == nil {
			missing = append(missing, t)
		} else {
			present = append(present, t)
		}
	}
	slices.SortFunc(present, func(a, b study.Trial) int {
		c := cmp.Or(slices.Compare(key(a), key(b)), cmp.Compare(a.Number, b.Number))
		if q.Desc {
			return -c
		}
		return c
	})
	var out []int
	for _, t := range append(present, missing...) {
		out = append(out, t.Number)
	}
	return out
}

func TestQuery(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "sweep.db"))
	for _, direction := range []study.Direction{study.Minimize, study.Maximize} {
		s := newStudy(t, db, func(s *study.Spec) {
			s.Name, s.Objective.Direction = string(direction), direction
		})
		other := newStudy(t, db, func(s *study.Spec) { s.Name = "beside " + string(direction) })
		fill(t, db, s, 40, rand.New(rand.NewPCG(1, 2)))
		fill(t, db, other, 10, rand.New(rand.NewPCG(3, 4)))
		all, err := db.Trials(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, sort := range []string{
			"", "rank", "number", "state", "value", "duration",
			"param:lr", "param:loss", "param:filters", "param:no such", "metric:val_ssim", "metric:val_mse", "metric:no such",
		} {
			for _, desc := range []bool{false, true} {
				for _, states := range [][]study.State{nil, {study.Complete}, {study.Pruned, study.Waiting}} {
					if desc && len(states) == 1 {
						continue // enough the other way
					}
					for _, limit := range []int{0, 9} {
						q := study.Query{Sort: sort, Desc: desc, States: states, Limit: limit}
						name := fmt.Sprintf("%s/%s/desc=%t/%v/limit=%d", direction, sort, desc, states, limit)
						want := reference(all, q, s)
						var got []int
						for {
							page, err := db.Query(t.Context(), s.ID, q)
							if err != nil {
								t.Fatalf("%s: %v", name, err)
							}
							if page.Total != len(want) {
								t.Fatalf("%s: total %d, want %d", name, page.Total, len(want))
							}
							if limit > 0 && len(page.Trials) > limit {
								t.Fatalf("%s: a page of %d", name, len(page.Trials))
							}
							for _, trial := range page.Trials {
								got = append(got, trial.Number)
								if d := gocmp.Diff(all[trial.Number], trial, cmpopts.EquateNaNs()); d != "" {
									t.Fatalf("%s: trial differs from Trials (-want +got):\n%s", name, d)
								}
							}
							if q.After = page.Next; q.After == "" {
								break
							}
						}
						if d := gocmp.Diff(want, got); d != "" {
							t.Fatalf("%s: order (-want +got):\n%s", name, d)
						}
					}
				}
			}
		}
	}
}

func TestQueryRefuses(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "sweep.db"))
	s := newStudy(t, db, nil)
	fill(t, db, s, 10, rand.New(rand.NewPCG(1, 2)))
	page, err := db.Query(t.Context(), s.ID, study.Query{Sort: "param:lr", Limit: 3})
	if err != nil || page.Next == "" {
		t.Fatal(page.Next, err)
	}
	for name, q := range map[string]study.Query{
		"sort":                   {Sort: "colour"},
		"state":                  {States: []study.State{"asleep"}},
		"cursor":                 {Sort: "param:lr", After: "!"},
		"cursor of no JSON":      {Sort: "param:lr", After: "AAAA"},
		"cursor of another sort": {Sort: "param:weight", After: page.Next},
		"cursor the other way":   {Sort: "param:lr", Desc: true, After: page.Next},
	} {
		if _, err := db.Query(t.Context(), s.ID, q); !errors.Is(err, storage.ErrQuery) {
			t.Errorf("%s: error is %v, want ErrQuery", name, err)
		}
	}
	if _, err := db.Query(t.Context(), s.ID+1, study.Query{}); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("unknown study: error is %v", err)
	}
}

// A page taken between other writes goes on where it ended: no trial twice, none left out that was there.
func TestQueryWhileTrialsCome(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "sweep.db"))
	s := newStudy(t, db, nil)
	rng := rand.New(rand.NewPCG(5, 6))
	fill(t, db, s, 40, rng)
	seen := map[int]bool{}
	q := study.Query{Sort: "value", Limit: 10}
	for {
		page, err := db.Query(t.Context(), s.ID, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, trial := range page.Trials {
			if seen[trial.Number] {
				t.Fatalf("trial %d is on two pages", trial.Number)
			}
			seen[trial.Number] = true
		}
		if page.Next == "" {
			break
		}
		q.After = page.Next
		fill(t, db, s, 3, rng)
	}
	for i := range 40 {
		if !seen[i] {
			t.Errorf("trial %d is on no page", i)
		}
	}
}

func BenchmarkQuery(b *testing.B) {
	db := openDB(b, filepath.Join(b.TempDir(), "sweep.db"))
	s := newStudy(b, db, nil)
	fill(b, db, s, 10_000, rand.New(rand.NewPCG(1, 2)))
	for _, sort := range []string{"rank", "number", "state", "value", "duration", "param:lr", "param:loss", "metric:val_mse", "metric:val_ssim"} {
		q := study.Query{Sort: sort, Limit: 50}
		deep := q
		for range 100 {
			page, err := db.Query(b.Context(), s.ID, deep)
			if err != nil {
				b.Fatal(err)
			}
			deep.After = page.Next
		}
		b.Run(sort+"/first", func(b *testing.B) { query(b, db, s, q) })
		b.Run(sort+"/deep", func(b *testing.B) { query(b, db, s, deep) })
	}
	b.Run("Trials", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Trials(b.Context(), s.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Summary", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Summary(b.Context(), s.Name); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// manyFiles gives a study so many files of so many distinct contents, named by rows alone.
func manyFiles(t testing.TB, path string, s study.Study, files, contents int) {
	t.Helper()
	raw(t, path, func(db *sql.DB) {
		_, err := db.Exec(`
			WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ?2)
			INSERT INTO artifact (study_id, trial_id, attempt_id, kind, name, media, step, size, digest, created)
			SELECT ?1, 1, 1, 'strip', 'epoch.png', 'image/png', value, 1000 + value % ?3, printf('%064x', (value % ?3) * 7919), 0
			FROM n`, s.ID, files, contents)
		if err != nil {
			t.Fatal(err)
		}
	})
}

// The disk space of a study is read from an index alone, and each content counts once.
func TestSummaryBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	manyFiles(t, path, s, 500, 200)
	sum, err := db.Summary(t.Context(), s.Name)
	if want := int64(200*1000 + 199*200/2); err != nil || sum.Bytes != want {
		t.Errorf("%d bytes, want %d (%v)", sum.Bytes, want, err)
	}
	raw(t, path, func(db *sql.DB) {
		rows, err := db.Query(`EXPLAIN QUERY PLAN `+storage.BytesOfStudy, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, step)
		}
		if all := strings.Join(plan, "; "); rows.Err() != nil || !strings.Contains(all, "COVERING INDEX artifact_content") || strings.Contains(all, "TEMP B-TREE") {
			t.Errorf("the plan is %s (%v)", all, rows.Err())
		}
	})
}

func BenchmarkSummary(b *testing.B) {
	path := filepath.Join(b.TempDir(), "sweep.db")
	db := openDB(b, path)
	s := newStudy(b, db, nil)
	fill(b, db, s, 100, rand.New(rand.NewPCG(1, 2)))
	manyFiles(b, path, s, 100_000, 100_000)
	for b.Loop() {
		if _, err := db.Summary(b.Context(), s.Name); err != nil {
			b.Fatal(err)
		}
	}
}

func query(b *testing.B, db *storage.DB, s study.Study, q study.Query) {
	for b.Loop() {
		page, err := db.Query(context.Background(), s.ID, q)
		if err != nil || len(page.Trials) != 50 {
			b.Fatal(len(page.Trials), err)
		}
	}
}

// BenchmarkAppend stores what an epoch of the built-in trainer reports.
func BenchmarkAppend(b *testing.B) {
	db := openDB(b, filepath.Join(b.TempDir(), "sweep.db"))
	s := newStudy(b, db, nil)
	p, err := db.Propose(b.Context(), s.ID, study.Proposal{Params: crashParams(0), Space: s.Spec.Space, Now: start})
	if err != nil {
		b.Fatal(err)
	}
	a, _, err := db.Begin(b.Context(), p.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
	if err != nil {
		b.Fatal(err)
	}
	l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
	points := []study.Point{{Key: "val_mse"}}
	for i := range 12 {
		points = append(points, study.Point{Key: fmt.Sprint("metric ", i)})
	}
	step := 0
	for b.Loop() {
		step++
		for i := range points {
			points[i].Step, points[i].Value, points[i].Time = step, float64(step*i), start
		}
		if err := db.Append(b.Context(), l, int64(step), points, "val_mse"); err != nil {
			b.Fatal(err)
		}
	}
}
