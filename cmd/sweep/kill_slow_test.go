//go:build slow

package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// killCase is a sweep whose table is one thing however often it is broken off.
type killCase struct {
	name           string
	workers        int
	method, pruner string
	trials, epochs int
	train          int
}

// Without history or pruner the table is the same for any number of workers; with them, for one.
var killCases = []killCase{
	{"random, 1 worker", 1, "random", "{name: none}", 8, 8, 4000},
	{"random, 2 workers", 2, "random", "{name: none}", 8, 8, 4000},
	{"tpe and asha, 1 worker", 1, "tpe", "{name: asha, min_epochs: 1, reduction: 2}", 16, 4, 3000},
}

const killSweep = `
name: kill
method: METHOD
metric: {name: val_mse, goal: minimize}
run_cap: TRIALS
parameters:
  lr:     {distribution: log_uniform_values, min: 0.0005, max: 0.005}
  batch:  {values: [32, 64]}
  latent: {distribution: int_uniform, min: 8, max: 64}
  loss:   {values: [mse, mae]}
  depth:   {value: 2}
  filters: {value: [8, 16]}
sweep:
  trainer: cae
  data: {name: shapes, train: TRAIN, validation: 400}
  epochs: EPOCHS
  seed: 7
  pruner: PRUNER
`

func (c killCase) spec() string {
	return strings.NewReplacer("METHOD", c.method, "TRIALS", fmt.Sprint(c.trials), "TRAIN", fmt.Sprint(c.train),
		"EPOCHS", fmt.Sprint(c.epochs), "PRUNER", c.pruner).Replace(killSweep)
}

const killRounds = 20

// TestSlowKill kills a sweep without warning at random moments, drawn so that on average one epoch of a worker ends between
// two, lets it finish, and compares every number and every file with an undisturbed run.
func TestSlowKill(t *testing.T) {
	bin := buildSweep(t)
	for _, c := range killCases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			spec := filepath.Join(dir, "kill.yaml")
			if err := os.WriteFile(spec, []byte(c.spec()), 0o644); err != nil {
				t.Fatal(err)
			}
			calm, killed := filepath.Join(dir, "calm.db"), filepath.Join(dir, "killed.db")
			command := func(db string) *exec.Cmd {
				return exec.Command(bin, "run", spec, "--db", db, "--offline", "--workers", fmt.Sprint(c.workers))
			}
			begin := time.Now()
			if out, err := command(calm).CombinedOutput(); err != nil {
				t.Fatalf("undisturbed run: %v\n%s", err, out)
			}
			took := time.Since(begin)
			want, epoch, _ := results(t, bin, calm, c.trials)
			t.Logf("undisturbed: %v, an epoch of a worker takes %v", took, epoch)

			moments := killMoments(rand.New(rand.NewPCG(uint64(c.workers), 20)))
			for round := range killRounds {
				run := command(killed)
				wait := time.Duration(moments[round] * float64(epoch)) // from the moment the pool works
				if !killAfter(t, run, wait) {
					t.Fatalf("the sweep was over before kill %d: it was meant to survive %d", round+1, killRounds)
				}
			}
			if out, err := command(killed).CombinedOutput(); err != nil {
				t.Fatalf("last run: %v\n%s", err, out)
			}
			got, _, resumed := results(t, bin, killed, c.trials)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("killed and undisturbed tables differ (-undisturbed +killed):\n%s", d)
			}
			if resumed == 0 {
				t.Error("no attempt resumed from a checkpoint: every one began from nothing")
			}
			t.Logf("%d kills, %d attempts resumed from a checkpoint", killRounds, resumed)
		})
	}
}

// killMoments draws when to kill, in epochs, evenly from 0 to 3: none, one or two epochs end before it, one on average.
// Each four kills have one from each quarter of that, so that no trial is lost five times in a row without a checkpoint,
// after which it would rightly be given up.
func killMoments(r *rand.Rand) []float64 {
	var out []float64
	for len(out) < killRounds {
		for _, quarter := range r.Perm(4) {
			out = append(out, (float64(quarter)+r.Float64())*3/4)
		}
	}
	return out
}

// killAfter starts a sweep, waits until it works and then as long as told, and kills it. It reports whether it was
// still running then.
func killAfter(t *testing.T, c *exec.Cmd, wait time.Duration) bool {
	t.Helper()
	stderr, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "study kill") {
	}
	time.Sleep(wait)
	c.Process.Kill() //nolint:errcheck // it may be over already, which Wait tells
	err = c.Wait()
	return err != nil && c.ProcessState.ExitCode() == -1
}

// results reads a study's whole table and the history of every trial, without what is time, and tells how long an epoch took
// (the median: what else a sweep does at its end is no part of it) and how many attempts resumed.
func results(t *testing.T, bin, db string, trials int) (table []map[string]any, epoch time.Duration, resumed int) {
	t.Helper()
	var took []float64
	for n := range trials {
		out, err := exec.Command(bin, "show", "kill", fmt.Sprint(n), "--json", "--db", db).Output()
		if err != nil {
			t.Fatalf("show %d: %v", n, err)
		}
		var v map[string]any
		if err := json.Unmarshal(out, &v); err != nil {
			t.Fatal(err)
		}
		for _, a := range v["attempt_list"].([]any) {
			if step, ok := a.(map[string]any)["resumed_step"].(float64); ok && step > 0 {
				resumed++
			}
		}
		for _, k := range []string{"attempt_list", "attempts", "duration_s"} {
			delete(v, k)
		}
		for _, sample := range v["history"].(map[string]any)["epoch_s"].([]any) {
			took = append(took, sample.([]any)[1].(float64))
		}
		for _, part := range []string{"metrics", "history"} {
			m := v[part].(map[string]any)
			delete(m, "epoch_s")
			delete(m, "images_per_s")
		}
		table = append(table, v)
	}
	slices.Sort(took)
	return table, time.Duration(took[len(took)/2] * float64(time.Second)), resumed
}
