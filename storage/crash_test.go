package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sweep/storage"
	"sweep/study"
	"sweep/study/studytest"
)

// writeForEver is a child that runs trials as fast as it can and says after each return of the store what must now be
// there for good: "point TRIAL STEP", "commit TRIAL STEP", "finish TRIAL".
func writeForEver(path string) {
	ctx := context.Background()
	fail := func(err error) {
		if err != nil {
			println(err.Error())
			os.Exit(1)
		}
	}
	_, err := storage.Lock(path, storage.Holder{Study: "suite", Command: "test"})
	fail(err)
	db, err := storage.Open(ctx, path, storage.Options{Write: true})
	fail(err)
	s, err := db.Study(ctx, "suite")
	if err != nil {
		s, err = db.CreateStudy(ctx, studytest.StoreSpec(), study.Data{Name: "shapes"}, start)
		fail(err)
	}
	_, err = db.Reclaim(ctx, s.ID, start)
	fail(err)
	fmt.Println("ready")
	for {
		trials, err := db.Trials(ctx, s.ID)
		fail(err)
		var t study.Trial
		for _, o := range trials {
			if o.State == study.Waiting {
				t = o
			}
		}
		if t.ID == 0 {
			t, err = db.Propose(ctx, s.ID, study.Proposal{Params: crashParams(len(trials)), Space: s.Spec.Space, Now: start})
			fail(err)
		}
		a, resume, err := db.Begin(ctx, t.ID, study.Place{Host: "host", Device: "cpu:0"}, start)
		fail(err)
		l := study.Lease{StudyID: s.ID, TrialID: t.ID, AttemptID: a.ID, Epoch: a.Epoch}
		step := 1
		if resume != nil {
			step = resume.Step + 1
		}
		for ; step <= 8; step++ {
			fail(db.Append(ctx, l, int64(step), []study.Point{{Key: "val_mse", Step: step, Value: crashValue(t.Number, step), Time: start}}, "val_mse"))
			fmt.Println("point", t.Number, step)
			if step%2 == 0 {
				fail(db.Commit(ctx, l, step, []study.File{{Kind: study.CheckpointFile, Name: "state", Body: crashState(t.Number, step)}}, start))
				fmt.Println("commit", t.Number, step)
			}
		}
		fail(db.Finish(ctx, l, study.Outcome{
			State: study.Complete, Value: crashValue(t.Number, 8),
			Files: []study.File{{Kind: study.ModelFile, Name: "model", Body: crashState(t.Number, 99)}},
		}, study.Complete, 1000, start))
		fmt.Println("finish", t.Number)
	}
}

func crashParams(i int) study.Params {
	p := study.Params{}
	for _, d := range studytest.StoreSpec().Space {
		p[d.Name] = d.Distribution.External(d.Distribution.Low + float64(i%2))
	}
	return p
}

func crashValue(number, step int) float64 { return float64(1000*number + step) }

func crashState(number, step int) []byte {
	return bytes.Repeat([]byte(fmt.Sprintf("%d/%d ", number, step)), 2000)
}

// Whatever the moment of death: the file opens, and what the store had returned from is there.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sweep.db")
	rng := rand.New(rand.NewPCG(11, 12))
	finished := map[int]bool{}
	type mark struct{ point, commit int }
	for round := range 8 {
		c, out, first := child(t, "write", path)
		if first != "ready" {
			t.Fatalf("the child said %q", first)
		}
		done := make(chan []byte)
		go func() {
			b, _ := io.ReadAll(out) // ends with the child
			done <- b
		}()
		time.Sleep(time.Duration(20+rng.IntN(150)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		said := string(<-done)
		c.Wait()
		if !strings.HasSuffix(said, "\n") { // a line torn by the kill was not said
			said = said[:strings.LastIndexByte(said, '\n')+1]
		}
		marks := map[int]mark{}
		for line := range strings.Lines(said) {
			var number, step int
			switch {
			case scan(line, "point %d %d", &number, &step):
				marks[number] = mark{step, marks[number].commit}
			case scan(line, "commit %d %d", &number, &step):
				marks[number] = mark{marks[number].point, step}
			case scan(line, "finish %d", &number):
				finished[number] = true
			default:
				t.Fatalf("the child said %q", line)
			}
		}
		db, err := storage.Open(t.Context(), path, storage.Options{})
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		s, err := db.Study(t.Context(), "suite")
		if err != nil {
			t.Fatal(err)
		}
		trials, err := db.Trials(t.Context(), s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i, trial := range trials {
			for j, p := range trial.Curve {
				if p.Step != j+1 || p.Value != crashValue(i, p.Step) {
					t.Fatalf("round %d: trial %d has %v at place %d", round, i, p, j)
				}
			}
			if m := marks[i]; len(trial.Curve) < m.point {
				t.Errorf("round %d: trial %d has %d points, %d were stored", round, i, len(trial.Curve), m.point)
			}
			d, err := db.Detail(t.Context(), s.ID, i)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range d.Artifacts {
				r, _, err := db.OpenArtifact(t.Context(), a.Digest)
				if err != nil {
					t.Fatalf("round %d: trial %d: %v", round, i, err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					t.Errorf("round %d: trial %d: %v", round, i, err)
				}
				r.Close()
				if a.Kind == study.CheckpointFile && a.Step < marks[i].commit {
					t.Errorf("round %d: trial %d has the checkpoint of step %d, %d was committed", round, i, a.Step, marks[i].commit)
				}
			}
			if marks[i].commit > 0 && len(d.Artifacts) == 0 {
				t.Errorf("round %d: trial %d has lost its files", round, i)
			}
			if finished[i] && (trial.State != study.Complete || trial.Value != crashValue(i, 8)) {
				t.Errorf("round %d: trial %d was finished and is %s with value %g", round, i, trial.State, trial.Value)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(finished) == 0 {
		t.Error("no child finished a trial: the test shows nothing")
	}

	// The next holder of the lock clears what was written and never committed.
	db := openDB(t, path)
	s, err := db.Study(t.Context(), "suite")
	if err != nil {
		t.Fatal(err)
	}
	trials, err := db.Trials(t.Context(), s.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for i := range trials {
		d, err := db.Detail(t.Context(), s.ID, i)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range d.Artifacts {
			want[a.Digest] = true
		}
	}
	for _, name := range keptFiles(t, path) {
		if !want[name] {
			t.Errorf("an orphan is left: %s", name)
		}
		delete(want, name)
	}
	for name := range want {
		t.Errorf("file %s is gone", name)
	}
}

// A process that dies while it makes the file leaves one that the next can go on with.
func TestKillAtTheStart(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		path := filepath.Join(t.TempDir(), "sweep.db")
		c := exec.Command(exe)
		c.Env = append(os.Environ(), childEnv+"=write "+path)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
			if _, err := os.Stat(path); err == nil {
				break
			}
			time.Sleep(200 * time.Microsecond)
		}
		time.Sleep(time.Duration(rng.IntN(12000)) * time.Microsecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		c.Wait()
		db := openDB(t, path)
		if _, err := db.Study(t.Context(), "suite"); errors.Is(err, study.ErrNotFound) {
			newStudy(t, db, nil)
		} else if err != nil {
			t.Error(err)
		}
	}
}

func scan(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format+"\n", into...)
	return err == nil && n == len(into)
}

// keptFiles lists the files beside a database, their names joined to digests where they are.
func keptFiles(t *testing.T, path string) []string {
	t.Helper()
	names, err := filepath.Glob(path + ".files/*/*")
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range names {
		names[i] = filepath.Base(filepath.Dir(n)) + filepath.Base(n)
	}
	return names
}
