package storage_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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
	said(t, err, `study "lr"`, "no study yet")
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
	newStudy(t, db, func(s *study.Spec) { s.Name = "other" })
	_, err = db.Study(ctx, "rl")
	said(t, err, `study "rl"`, `"lr"`, `"other"`)
	if !errors.Is(err, study.ErrNotFound) {
		t.Errorf("%v is not ErrNotFound", err)
	}
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
	a, _, err := db.Begin(t.Context(), p.ID, "host", "cpu:0", start)
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

func TestDamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	model(t, db, s, 1, []byte("the weights"))
	d, err := db.Detail(t.Context(), s.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	a := d.Artifacts[0]
	r, got, err := db.OpenArtifact(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if diff := cmp.Diff(a, got); diff != "" {
		t.Errorf("artifact:\n%s", diff)
	}
	file := filepath.Join(path+".files", a.Digest[:2], a.Digest[2:])
	write := func(s string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(s), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("the we1ghts")
	if r, _, err = db.OpenArtifact(t.Context(), a.Digest); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err == nil {
		t.Error("changed content was read without an error")
	}
	write("the w")
	if _, _, err := db.OpenArtifact(t.Context(), a.Digest); err == nil {
		t.Error("a short file was opened")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	_, _, err = db.OpenArtifact(t.Context(), a.Digest)
	if !errors.Is(err, study.ErrNotFound) {
		t.Errorf("a file that is gone: %v", err)
	}
	// A link out of the folder is not followed.
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the secret!"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, file); err != nil {
		t.Fatal(err)
	}
	if r, _, err := db.OpenArtifact(t.Context(), a.Digest); err == nil {
		r.Close()
		t.Error("a link out of the folder was followed")
	}
}

// A checkpoint whose file is gone (a power cut, a hand) does not stop its trial: it starts from what there is.
func TestBeginWithoutItsCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	ctx := t.Context()
	p, err := db.Propose(ctx, s.ID, study.Proposal{Params: crashParams(0), Space: s.Spec.Space, Now: start})
	if err != nil {
		t.Fatal(err)
	}
	a, _, err := db.Begin(ctx, p.ID, "host", "cpu:0", start)
	if err != nil {
		t.Fatal(err)
	}
	l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
	if err := errors.Join(
		db.Append(ctx, l, 1, []study.Point{{Key: "val_mse", Step: 1, Value: 1, Time: start}}, "val_mse"),
		db.Commit(ctx, l, 1, []study.File{{Kind: study.CheckpointFile, Name: "state", Body: []byte("state")}}, start),
		os.RemoveAll(path+".files"),
	); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Reclaim(ctx, s.ID, start); err != nil {
		t.Fatal(err)
	}
	_, resume, err := db.Begin(ctx, p.ID, "host", "cpu:0", start)
	if err != nil || resume != nil {
		t.Fatalf("resumes %v (%v)", resume, err)
	}
	trials, err := db.Trials(ctx, s.ID)
	if err != nil || len(trials[0].Curve) != 0 {
		t.Errorf("curve %v (%v)", trials[0].Curve, err)
	}
}

func TestOrphans(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	model(t, db, s, 1, []byte("kept"))
	kept := keptFiles(t, path)
	orphan := strings.Repeat("ab", 32)
	put := func(name string) string {
		t.Helper()
		file := filepath.Join(path+".files", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, []byte("x"), 0o666)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	gone := []string{put("ab/" + orphan[2:]), put("ab/" + orphan[2:] + ".tmp-1-1"), put(kept[0][:2] + "/" + kept[0][2:] + ".tmp-12-3")}
	stay := []string{put("README"), put("ab/notes.txt"), put("cd/" + orphan[3:])}
	exists := func(file string) bool { _, err := os.Stat(file); return err == nil }

	reader, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for _, f := range gone {
		if !exists(f) {
			t.Errorf("a reader removed %s", f)
		}
	}
	again, err := storage.Open(t.Context(), path, storage.Options{Write: true}) // openDB holds the lock
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, f := range gone {
		if exists(f) {
			t.Errorf("%s is still there", f)
		}
	}
	for _, f := range stay {
		if !exists(f) {
			t.Errorf("%s was removed", f)
		}
	}
	if got := keptFiles(t, path); !slices.Contains(got, kept[0]) {
		t.Error("a kept file was removed")
	}
}

// Readers of the same and of other handles see whole transactions while trials run.
func TestReadersDuringWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	db := openDB(t, path)
	s := newStudy(t, db, nil)
	reader, err := storage.Open(t.Context(), path, storage.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	const workers, perWorker = 3, 6
	errs := make(chan error, 16)
	done := make(chan struct{})
	for w := range workers {
		go func() { errs <- work(ctx, db, s, w, perWorker) }()
	}
	look := func(db *storage.DB) error {
		for n := 0; ; n++ {
			select {
			case <-done:
				if n == 0 {
					return errors.New("the reader never looked")
				}
				return nil
			default:
			}
			page, err := db.Query(ctx, s.ID, study.Query{Sort: "metric:val_mse"})
			if err != nil {
				return err
			}
			for _, trial := range page.Trials {
				// A transaction of work appends steps in pairs.
				if len(trial.Curve)%2 != 0 {
					return fmt.Errorf("trial %d shows half a transaction: %v", trial.Number, trial.Curve)
				}
			}
			if _, err := db.Studies(ctx); err != nil {
				return err
			}
			if err := db.Request(ctx, s.ID, study.Go, start); err != nil {
				return err
			}
		}
	}
	for _, d := range []*storage.DB{db, reader} {
		go func() { errs <- look(d) }()
	}
	for range workers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	close(done)
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	trials, err := reader.Trials(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(trials) != workers*perWorker {
		t.Errorf("%d trials", len(trials))
	}
	for i, trial := range trials {
		if trial.Number != i || trial.State != study.Complete || len(trial.Curve) != 10 {
			t.Errorf("trial %d: number %d, %s, %d points", i, trial.Number, trial.State, len(trial.Curve))
		}
	}
}

func work(ctx context.Context, db *storage.DB, s study.Study, worker, n int) error {
	for range n {
		p, err := db.Propose(ctx, s.ID, study.Proposal{Params: crashParams(worker), Space: s.Spec.Space, Now: start})
		if err != nil {
			return err
		}
		a, _, err := db.Begin(ctx, p.ID, "host", fmt.Sprint("cpu:", worker), start)
		if err != nil {
			return err
		}
		l := study.Lease{StudyID: s.ID, TrialID: p.ID, AttemptID: a.ID, Epoch: a.Epoch}
		for step := 1; step <= 10; step += 2 {
			err := db.Append(ctx, l, int64(step), []study.Point{
				{Key: "val_mse", Step: step, Value: 1, Time: start}, {Key: "val_mse", Step: step + 1, Value: 2, Time: start},
			}, "val_mse")
			if err != nil {
				return err
			}
		}
		body := []byte(fmt.Sprint(worker % 2)) // the same content from several at once
		err = db.Commit(ctx, l, 10, []study.File{{Kind: study.CheckpointFile, Name: "state", Body: body}}, start)
		if err != nil {
			return err
		}
		err = db.Finish(ctx, l, study.Outcome{
			State: study.Complete, Value: 2, Files: []study.File{{Kind: study.ModelFile, Name: "m", Body: body}},
		}, study.Complete, 2, start)
		if err != nil {
			return err
		}
	}
	return nil
}
