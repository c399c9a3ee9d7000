package storage_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/storage"
	"sweep/study"
)

func TestCreateStudy(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "sweep.db"))
	ctx := t.Context()
	_, err := db.Study(ctx, "lr")
	is(t, err, `there is no study "lr": there are none yet`)
	target := 0.01
	want := newStudy(t, db, func(s *study.Spec) {
		s.Name, s.Description, s.Objective.Target, s.Seed = "lr", "söme \"text\"", &target, math.MaxUint64
		s.Pruner = study.PrunerSpec{Name: "asha", MinEpochs: 1, Reduction: 3}
	})
	got, err := db.Study(ctx, "lr")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("study (-made +read):\n%s", d)
	}
	if want.Created != start || want.Data.Fingerprint != "f00d" {
		t.Errorf("created %s on %v", want.Created, want.Data)
	}
	_, err = db.CreateStudy(ctx, want.Spec, want.Data, start)
	if !errors.Is(err, storage.ErrExists) {
		t.Errorf("the same name again: %v", err)
	}
	_, err = db.Study(ctx, "rl")
	is(t, err, `there is no study "rl": there is lr`)
	newStudy(t, db, func(s *study.Spec) { s.Name = "the other" })
	_, err = db.Study(ctx, "")
	is(t, err, `there is no study "": there are "the other", lr`)
	_, err = db.Summary(ctx, "rl")
	is(t, err, `there is no study "rl": there are "the other", lr`)
	is(t, db.DeleteStudy(ctx, "rl"), `there is no study "rl": there are "the other", lr`)
	for _, name := range []string{"", strings.Repeat("x", 513)} {
		if _, err := db.CreateStudy(ctx, study.Spec{Name: name}, study.Data{}, start); err == nil {
			t.Errorf("a name of %d bytes was taken", len(name))
		}
	}
	if err := db.SetRunCap(ctx, want.ID, 99); err != nil {
		t.Fatal(err)
	}
	want.Spec.RunCap = 99
	if got, err := db.Study(ctx, "lr"); err != nil || !cmp.Equal(want, got) {
		t.Errorf("after SetRunCap (%v):\n%s", err, cmp.Diff(want, got))
	}
	if err := db.SetRunCap(ctx, 77, 1); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("run cap of no study: %v", err)
	}
}

// is checks that err is [study.ErrNotFound] and says no more than that.
func is(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, study.ErrNotFound) || err.Error() != want {
		t.Errorf("the error is %q (%T), want %q", err, err, want)
	}
}

func TestNoTrial(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "sweep.db"))
	ctx := t.Context()
	s := newStudy(t, db, func(s *study.Spec) { s.Name = "smoke" })
	_, err := db.Detail(ctx, s.ID, 0)
	is(t, err, "study smoke has no trial 0: it has none yet")
	fill(t, db, s, 4, rand.New(rand.NewPCG(1, 2)))
	_, err = db.Detail(ctx, s.ID, 99)
	is(t, err, "study smoke has no trial 99: it has 4, numbered from 0")
	_, err = db.Curves(ctx, s.ID, "val_mse", []int{0, -1})
	is(t, err, "study smoke has no trial -1: it has 4, numbered from 0")
	_, err = db.Detail(ctx, s.ID+5, 0)
	is(t, err, fmt.Sprintf("there is no study with id %d", s.ID+5))
	for i := range 21 {
		newStudy(t, db, func(s *study.Spec) { s.Name = fmt.Sprint("s", i) })
	}
	_, err = db.Study(ctx, "no")
	said(t, err, "s20, s19, ", "s1 and more")
}

func TestSummary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	ctx := t.Context()
	empty := newStudy(t, db, func(s *study.Spec) { s.Name = "nothing" }) // the name that openDB's lock runs
	s := newStudy(t, db, func(s *study.Spec) { s.Name, s.Objective.Direction = "max", study.Maximize })
	fill(t, db, s, 60, rand.New(rand.NewPCG(1, 2)))
	trials, err := db.Trials(ctx, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := study.Summary{Study: s, Counts: map[study.State]int{}, Wish: study.Go}
	for _, trial := range trials {
		want.Counts[trial.State]++
		if trial.State == study.Complete && !math.IsNaN(trial.Value) && (want.Best == nil || trial.Value > want.Best.Value) {
			want.Best = &trial
		}
	}
	sums, err := db.Studies(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(sums) != 2 {
		t.Fatalf("%d studies", len(sums))
	}
	if !sums[0].Activity.After(start) {
		t.Errorf("newest change is at %s", sums[0].Activity)
	}
	want.Activity = sums[0].Activity
	if d := cmp.Diff(want, sums[0], cmpopts.EquateNaNs()); d != "" {
		t.Errorf("summary (-want +got):\n%s", d)
	}
	want = study.Summary{Study: empty, Counts: map[study.State]int{}, Wish: study.Go, Activity: start, Live: true}
	if d := cmp.Diff(want, sums[1]); d != "" {
		t.Errorf("summary of an empty study (-want +got):\n%s", d)
	}
	one, err := db.Summary(ctx, "nothing")
	if err != nil || !cmp.Equal(want, one) {
		t.Errorf("one summary (%v):\n%s", err, cmp.Diff(want, one))
	}
	if _, err := db.Summary(ctx, "no such"); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("summary of no study: %v", err)
	}
}

// Another process asks, and the one that runs the study sees it.
func TestRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	ctx := t.Context()
	reader, err := storage.Open(ctx, path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	before, err := db.LastSeq(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range []study.Verdict{study.Pause, study.Go, study.Stop} {
		if err := reader.Request(ctx, s.ID, v, start.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Wish(ctx, s.ID); err != nil || got != v {
			t.Errorf("wish %s (%v), want %s", got, err, v)
		}
		if sum, err := reader.Summary(ctx, s.Name); err != nil || sum.Wish != v {
			t.Errorf("summary's wish %s (%v), want %s", sum.Wish, err, v)
		}
	}
	if err := db.ClearWish(ctx, s.ID); err != nil {
		t.Fatal(err)
	}
	if got, err := db.Wish(ctx, s.ID); err != nil || got != study.Go {
		t.Errorf("wish after clearing: %s (%v)", got, err)
	}
	events, err := reader.Events(ctx, s.ID, before, 2)
	if err != nil {
		t.Fatal(err)
	}
	want := []study.Event{
		{Seq: before + 1, Number: -1, Kind: "requested", Body: `{"verdict":"pause"}`, Time: start},
		{Seq: before + 2, Number: -1, Kind: "requested", Body: `{"verdict":"go"}`, Time: start.Add(time.Second)},
	}
	if d := cmp.Diff(want, events); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if err := reader.Request(ctx, s.ID, study.Prune, start); err == nil {
		t.Error("prune was taken as a request")
	}
	if err := reader.Request(ctx, s.ID+9, study.Stop, start); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("request to no study: %v", err)
	}
}

func TestExports(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "sweep.db"))
	s := newStudy(t, db, nil)
	ctx := t.Context()
	made := []study.Export{
		{Number: 3, Digest: "aa", Path: "best", Metrics: map[string]float64{"test_mse": 0.5, "test_psnr": math.Inf(1), "x": math.NaN()}, Time: start},
		{Number: 4, Digest: "bb", Path: "other", Metrics: map[string]float64{}, Time: start.Add(time.Second)},
		{Number: 3, Digest: "cc", Path: "best", Metrics: map[string]float64{}, Time: start.Add(2 * time.Second)},
	}
	for _, e := range made {
		if err := db.RecordExport(ctx, s.ID, e); err != nil {
			t.Fatal(err)
		}
	}
	for number, want := range map[int][]study.Export{
		-1: {made[2], made[1], made[0]}, 3: {made[2], made[0]}, 5: nil,
	} {
		got, err := db.Exports(ctx, s.ID, number)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateNaNs()); d != "" {
			t.Errorf("exports of %d (-want +got):\n%s", number, d)
		}
	}
	if err := db.RecordExport(ctx, s.ID+1, made[0]); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("export of no study: %v", err)
	}
}

// model runs one trial of s to its end and keeps body as its model.
func model(t *testing.T, db *storage.DB, s study.Study, value float64, body []byte) {
	t.Helper()
	p, err := db.Propose(t.Context(), s.ID, study.Proposal{Params: crashParams(0), Space: s.Spec.Space, Now: start})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := db.Begin(t.Context(), p.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Finish(t.Context(), study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}, study.Outcome{
		State: study.Complete, Value: value, Files: []study.File{{Kind: study.ModelFile, Name: "model", Body: body}},
	}, study.Complete, 10, start)
	if err != nil {
		t.Fatal(err)
	}
}

func TestDeleteStudy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	l, err := storage.Lock(path, storage.Holder{Study: "running", Command: "sweep run"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Release()
	runner, err := storage.Open(t.Context(), path, storage.Options{Write: true})
	if err != nil {
		t.Fatal(err)
	}
	defer runner.Close()
	running := newStudy(t, runner, func(s *study.Spec) { s.Name = "running" })
	resting := newStudy(t, runner, func(s *study.Spec) { s.Name = "resting" })
	model(t, runner, running, 1, []byte("in both"))
	model(t, runner, running, 2, []byte("of the running one"))
	model(t, runner, resting, 1, []byte("in both"))
	model(t, runner, resting, 2, bytes.Repeat([]byte("of the resting one"), 100))
	fill(t, runner, resting, 60, rand.New(rand.NewPCG(1, 2)))

	db, err := storage.Open(t.Context(), path, storage.Options{}) // as `sweep rm` does, beside the running sweep
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	sum, err := db.Summary(t.Context(), "running")
	if err != nil || !sum.Live || sum.Bytes != int64(len("in both")+len("of the running one")) {
		t.Errorf("live %t, %d bytes (%v)", sum.Live, sum.Bytes, err)
	}
	err = db.DeleteStudy(t.Context(), "running")
	if !errors.Is(err, storage.ErrInUse) {
		t.Fatalf("deleting what runs: %v", err)
	}
	said(t, err, `"running"`, fmt.Sprint(os.Getpid()))
	if err := db.DeleteStudy(t.Context(), "no such"); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("deleting what is not there: %v", err)
	}
	seq, err := db.LastSeq(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	size := fileSize(t, path)
	if err := db.DeleteStudy(t.Context(), "resting"); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Study(t.Context(), "resting"); !errors.Is(err, study.ErrNotFound) {
		t.Errorf("the deleted study: %v", err)
	}
	if now := fileSize(t, path); now > size*3/4 {
		t.Errorf("the file had %d bytes and has %d", size, now)
	}
	raw(t, path, func(db *sql.DB) {
		var free int
		if err := db.QueryRow(`PRAGMA freelist_count`).Scan(&free); err != nil || free != 0 {
			t.Errorf("%d free pages are left in the file (%v)", free, err)
		}
	})
	if after, err := db.LastSeq(t.Context()); err != nil || after <= seq {
		t.Errorf("the last event was %d and is %d (%v)", seq, after, err)
	}
	checkNoRows(t, path, resting.ID)
	if files := keptFiles(t, path); len(files) != 2 {
		t.Errorf("%d files are left, want the 2 of the running study", len(files))
	}
	trials, err := runner.Trials(t.Context(), running.ID)
	if err != nil || len(trials) != 2 {
		t.Errorf("the running study has %d trials (%v)", len(trials), err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteStudy(t.Context(), "running"); err != nil {
		t.Errorf("at rest: %v", err)
	}
	if files := keptFiles(t, path); len(files) != 0 {
		t.Errorf("%d files are left", len(files))
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}
