package main_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
)

// Tiny is a sweep of a second.
const tiny = `
name: tiny
method: random
metric: {name: val_mse, goal: minimize}
run_cap: 2
parameters:
  lr:      {distribution: log_uniform_values, min: 0.001, max: 0.01}
  latent:  {values: [4, 8]}
  depth:   {value: 1}
  filters: {value: [4]}
sweep:
  trainer: cae
  data: {name: shapes, train: 64, validation: 32}
  epochs: 2
  seed: 3
`

// place is a folder of a test with the binary's view of it.
type place struct {
	t   *testing.T
	bin string
	dir string
}

func newPlace(t *testing.T) place {
	t.Helper()
	return place{t, buildSweep(t), t.TempDir()}
}

func (p place) file(name, body string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// command is the binary in the folder, whatever data and database the environment names.
func (p place) command(args ...string) *exec.Cmd {
	c := exec.Command(p.bin, args...)
	c.Dir, c.Env = p.dir, append(os.Environ(), "SWEEP_DATA=", "SWEEP_DB=")
	return c
}

// sweep runs the binary, as a script would: no terminal.
func (p place) sweep(args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	return p.ends(p.command(args...))
}

// ends runs a command to its end, whatever its exit code is.
func (p place) ends(c *exec.Cmd) (stdout, stderr string, code int) {
	p.t.Helper()
	var out, err bytes.Buffer
	c.Stdout, c.Stderr = &out, &err
	if e := c.Run(); e != nil {
		var exit *exec.ExitError
		if !errors.As(e, &exit) {
			p.t.Fatalf("%v: %v", c.Args, e)
		}
		code = exit.ExitCode()
	}
	return out.String(), err.String(), code
}

// sql changes a database behind the program's back.
func (p place) sql(file, statement string) {
	p.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(p.dir, file))
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		p.t.Fatal(err)
	}
}

// must runs the binary and fails the test unless it ends well.
func (p place) must(args ...string) string {
	p.t.Helper()
	out, err, code := p.sweep(args...)
	if code != 0 {
		p.t.Fatalf("sweep %v: exit %d\n%s", args, code, err)
	}
	return out
}

// TestMainJob walks the path of a user: run, look, compare, export, verify, delete.
func TestMainJob(t *testing.T) {
	p := newPlace(t)
	spec := p.file("tiny.yaml", tiny)
	p.must("plan", spec)
	if _, err := os.Stat(filepath.Join(p.dir, "sweep.db")); err == nil {
		t.Fatal("plan wrote a database")
	}
	var ran struct {
		State  string
		Trials map[string]int
		Best   struct{ Number int }
	}
	decode(t, p.must("run", spec, "--json", "--workers", "2"), &ran)
	if ran.State != "finished" || ran.Trials["complete"] != 2 {
		t.Fatalf("run --json says %+v", ran)
	}
	var top []struct {
		Number   int
		State    string
		Value    float64
		Params   map[string]any
		Metrics  map[string]float64
		Attempts int
	}
	decode(t, p.must("top", "tiny", "--json"), &top)
	if len(top) != 2 || top[0].Value > top[1].Value || top[0].Number != ran.Best.Number || top[0].Attempts != 1 {
		t.Errorf("top --json says %+v", top)
	}
	for _, k := range []string{"train_loss", "val_loss", "val_mse", "val_mae", "val_psnr", "val_ssim", "val_pixel_acc", "grad_norm", "epoch", "epoch_s", "images_per_s", "learning_rate"} {
		if _, ok := top[0].Metrics[k]; !ok {
			t.Errorf("the metric %s of the contract is missing", k)
		}
	}
	var best struct {
		Number    int
		Artifacts []struct{ Kind string }
		History   map[string][][2]float64
	}
	decode(t, p.must("best", "tiny", "--json"), &best)
	if best.Number != top[0].Number || len(best.Artifacts) == 0 {
		t.Errorf("best --json says %+v", best)
	}
	decode(t, p.must("show", "tiny", "1", "--json"), &best)
	if len(best.History["val_mse"]) != 2 {
		t.Errorf("show --json has the history %v", best.History)
	}
	for _, args := range [][]string{
		{"top", "tiny"},
		{"top", "tiny", "--sort", "-lr", "-n", "1"},
		{"top", "tiny", "--csv", "-n", "0"},
		{"show", "tiny", "0"},
		{"best", "tiny"},
		{"compare", "tiny", "0", "1"},
		{"compare", "tiny", "0", "1", "--json"},
		{"studies"},
		{"studies", "--json"},
		{"data"},
		{"data", "list", "--json"},
		{"schema"},
		{"data", "verify", "shapes"},
		{"devices"},
		{"devices", "--json"},
		{"version"},
		{"plan", spec, "--json"},
	} {
		if out := p.must(args...); strings.TrimSpace(out) == "" {
			t.Errorf("sweep %v prints nothing", args)
		}
	}
	var tested struct{ Metrics map[string]float64 }
	p.must("export", "tiny", "-o", "best")
	decode(t, p.must("best", "tiny", "--json"), &tested)
	for _, k := range []string{"test_mse", "test_mae", "test_psnr", "test_ssim"} {
		if _, ok := tested.Metrics[k]; !ok {
			t.Errorf("the exported trial has no %s", k)
		}
	}
	if card, err := os.ReadFile(filepath.Join(p.dir, "best", "README.md")); err != nil || !strings.Contains(string(card), "does not beat pca-") {
		t.Errorf("the model card (%v) does not say how it stands to pca:\n%s", err, card)
	}
	if out := p.must("verify", "best"); !strings.Contains(out, "ok") {
		t.Errorf("verify says %q", out)
	}
	// A bundle that was tampered with is found out.
	p.file("best/metrics.json", `{}`)
	if _, stderr, code := p.sweep("verify", "best"); code != 1 || !strings.Contains(stderr, "metrics.json") {
		t.Errorf("a changed metrics.json: exit %d, %q", code, stderr)
	}
	// More trials of the same study.
	p.must("run", spec, "--trials", "3")
	decode(t, p.must("top", "tiny", "--json", "-n", "0"), &top)
	if len(top) != 3 {
		t.Errorf("--trials 3 on a study of 2: %d trials", len(top))
	}
	p.must("run", spec) // the file still says 2, as it did
	p.must("rm", "tiny", "--yes")
	if out := p.must("studies", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("after rm there are %s", out)
	}
}

// A plan counts the trials at once of the run, but not more cores than there are; devices that are not there it names.
func TestPlanDevices(t *testing.T) {
	p := newPlace(t)
	for _, c := range []struct {
		keys, flags    string
		workers, cores int
		warning        string
	}{
		{"devices: cpu", "", runtime.GOMAXPROCS(0), runtime.GOMAXPROCS(0), ""},
		{"workers: 1", "", 1, 1, ""},
		{"workers: 1", "--workers=2 --devices=cpu:0", 1, 1, ""},
		{"devices: cpu\n  precision: tf32", "--workers=1", 1, 1, "precision tf32 is for GPUs"},
		{"devices: cpu\n  workers: 1000", "", 1000, runtime.GOMAXPROCS(0), ""},
		{"devices: cpu:9999", "", runtime.GOMAXPROCS(0), runtime.GOMAXPROCS(0), "`sweep run` will refuse this sweep here: there is no core cpu:9999"},
	} {
		var plan struct {
			Workers, Cores int
			Warnings       []string
		}
		file := p.file("plan.yaml", strings.Replace(tiny, "sweep:\n", "sweep:\n  "+c.keys+"\n", 1))
		decode(t, p.must(append([]string{"plan", file, "--json"}, strings.Fields(c.flags)...)...), &plan)
		if plan.Workers != c.workers || plan.Cores != c.cores || !strings.Contains(strings.Join(plan.Warnings, "\n"), c.warning) {
			t.Errorf("%q %s: plan says %+v", c.keys, c.flags, plan)
		}
	}
}

func decode(t *testing.T, text string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), v); err != nil {
		t.Fatalf("not one JSON document: %v\n%s", err, text)
	}
}

// TestSameSeedSameTable runs a sweep twice, with one worker and with two, and compares every number but times.
func TestSameSeedSameTable(t *testing.T) {
	p := newPlace(t)
	spec := p.file("tiny.yaml", strings.Replace(tiny, "run_cap: 2", "run_cap: 6", 1))
	p.must("run", spec, "--workers", "1", "--db", "one.db")
	p.must("run", spec, "--workers", "2", "--db", "two.db")
	one, two := p.must("top", "tiny", "-n", "0", "--json", "--db", "one.db"), p.must("top", "tiny", "-n", "0", "--json", "--db", "two.db")
	if a, b := withoutTimes(t, one), withoutTimes(t, two); a != b {
		t.Errorf("one worker:\n%s\ntwo workers:\n%s", a, b)
	}
}

// withoutAttempts is withoutTimes of a table whose trials may have been interrupted.
func withoutAttempts(t *testing.T, text string) string {
	t.Helper()
	var list []map[string]any
	decode(t, text, &list)
	for _, v := range list {
		delete(v, "attempts")
	}
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return withoutTimes(t, string(b))
}

func withoutTimes(t *testing.T, text string) string {
	t.Helper()
	var list []map[string]any
	decode(t, text, &list)
	for _, v := range list {
		delete(v, "duration_s")
		m := v["metrics"].(map[string]any)
		delete(m, "epoch_s")
		delete(m, "images_per_s")
	}
	b, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestBadInput makes the mistakes that users make: each is one clear line (a sweep file's, one mistake at a time), says
// what to do, and has the exit code of the contract.
func TestBadInput(t *testing.T) {
	p := newPlace(t)
	spec := p.file("tiny.yaml", tiny)
	p.must("run", spec)
	p.must("run", spec, "--db", "newer.db")
	p.sql("newer.db", `INSERT INTO sweep_migration (version_id, is_applied) VALUES (9999, 1)`)
	p.file("bad.yaml", strings.Replace(tiny, "run_cap", "run_cup", 1))
	p.file("other.yaml", strings.Replace(tiny, "epochs: 2", "epochs: 3", 1))
	p.file("more.yaml", strings.Replace(tiny, "run_cap: 2", "run_cap: 5", 1))
	p.file("fewer.yaml", strings.Replace(tiny, "run_cap: 2", "run_cap: 1", 1))
	p.file("cifar.yaml", strings.Replace(tiny, "name: shapes", "name: cifar10", 1))
	p.file("mnist.yaml", strings.Replace(tiny, "name: shapes", "name: [mnist, shapes]", 1))
	for _, f := range []string{"images-idx3", "labels-idx1"} {
		p.file("testonly/mnist/t10k-"+f+"-ubyte.gz", "not looked at")
	}
	p.file("gpu.yaml", strings.Replace(tiny, "method: random", "method: gp", 1))
	p.file("text.db", "this is no database, though it is long enough to hold the header of one, which has a hundred bytes of its own")
	for _, f := range []string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"} {
		p.file("short/cifar-10-batches-bin/"+f+".bin", "truncated")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().String()

	before := p.must("top", "tiny", "--json")
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"no arguments for run", []string{"run"}, 2, []string{"sweep run SPEC"}},
		{"a verb that does not exist", []string{"frob"}, 2, []string{"frob", "--help"}},
		{"a flag that does not exist", []string{"top", "--frob"}, 2, []string{"frob", "--help"}},
		{"no images to apply to", []string{"apply", "best", "-o", "x"}, 2, []string{"sweep apply DIR IMAGE"}},
		{"no folder to write to", []string{"apply", "best", "x.png"}, 2, []string{"-o OUT"}},
		{"no bundle to apply", []string{"apply", "best", "x.png", "-o", "x"}, 1, []string{"best", "sweep export"}},
		{"no sweep file", []string{"run", "none.yaml"}, 2, []string{"none.yaml", "sweeps/lr.yaml"}},
		{"a misspelt key", []string{"run", "bad.yaml"}, 2, []string{"bad.yaml:5:1", "run_cup", "run_cap"}},
		{"a method that is not built", []string{"run", "gpu.yaml"}, 2, []string{"gp", "not built yet"}},
		{"a data set without its training files", []string{"run", "mnist.yaml", "--data", "testonly", "--db", "m.db"}, 1, []string{"train-images-idx3-ubyte.gz", "only the test files are there", "data fetch mnist", "--data"}},
		{"another spec under the same name", []string{"run", "other.yaml"}, 1, []string{"epochs", "--name", "sweep rm"}},
		{"another number of trials in the file", []string{"run", "more.yaml"}, 1, []string{"run_cap", "--trials"}},
		{"fewer trials in the file", []string{"run", "fewer.yaml"}, 1, []string{"run_cap", "--trials"}},
		{"fewer trials than there are", []string{"run", spec, "--trials", "1"}, 1, []string{"--trials 1", "raised"}},
		{"a device that this build lacks", []string{"run", spec, "--devices", "cuda:0"}, 2, []string{"cuda:0", "no GPU support"}},
		{"data that are not there", []string{"run", "cifar.yaml", "--offline", "--db", "c.db"}, 1, []string{"cifar10", "--offline", "--data"}},
		{"data that are truncated", []string{"run", "cifar.yaml", "--data", "short", "--db", "c.db"}, 1, []string{"data_batch_1.bin", "30730000", "9 bytes", "data fetch"}},
		{"a study that does not exist", []string{"top", "nope"}, 1, []string{"nope", "tiny"}},
		{"a trial that does not exist", []string{"show", "tiny", "77"}, 1, []string{"study tiny has no trial 77: it has 2"}},
		{"a word to sort by", []string{"top", "tiny", "--sort", "size"}, 2, []string{"size", "latent"}},
		{"no database", []string{"top", "tiny", "--db", "none.db"}, 1, []string{"none.db", "sweep run"}},
		{"a file that is no database", []string{"top", "tiny", "--db", "text.db"}, 1, []string{"text.db"}},
		{"a database of a newer version", []string{"top", "tiny", "--db", "newer.db"}, 1, []string{"newer.db", "9999", "newer version"}},
		{"running on a newer version's", []string{"run", spec, "--db", "newer.db"}, 1, []string{"newer.db", "newer version"}},
		{"a folder that does not exist", []string{"run", spec, "--db", "none/x.db"}, 1, []string{"none/x.db", "--db"}},
		{"a port in use", []string{"web", "--addr", port}, 1, []string{port, "--addr"}},
		{"an address open to others", []string{"web", "--addr", "0.0.0.0:0"}, 1, []string{"SWEEP_TOKEN"}},
		{"an address that is none", []string{"web", "--addr", "foo"}, 2, []string{"foo", "host:port"}},
		{"a port beyond the last", []string{"run", spec, "--web=127.0.0.1:99999"}, 2, []string{"99999", "host:port"}},
		{"a port in use for a run", []string{"run", spec, "--name", "never", "--web=" + port}, 1, []string{port, "--web="}},
		{"a database without a name", []string{"studies", "--db", ""}, 2, []string{"--db"}},
		{"a trial below the first", []string{"export", "tiny", "--trial", "-1", "-o", "x"}, 2, []string{"numbered from 0"}},
		{"too many trials", []string{"run", spec, "--trials", "2000000"}, 2, []string{"1048576"}},
		{"one trial to compare", []string{"compare", "tiny", "1"}, 2, []string{"2 to 8 trials"}},
		{"no folder for an export", []string{"export", "tiny"}, 2, []string{"-o"}},
		{"a folder that is no bundle's", []string{"export", "tiny", "-o", "."}, 1, []string{"bundle"}},
		{"a bundle that is not there", []string{"verify", "nowhere"}, 1, []string{"nowhere", "sweep export"}},
		{"pausing what does not run", []string{"pause", "tiny"}, 1, []string{"not running", "sweep run"}},
		{"deleting without a yes", []string{"rm", "tiny"}, 1, []string{"--yes"}},
		{"a data set that does not exist", []string{"data", "fetch", "imagenet"}, 2, []string{"imagenet", "cifar10"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stdout, stderr, code := p.sweep(c.args...)
			if code != c.code {
				t.Errorf("exit %d, want %d\n%s", code, c.code, stderr)
			}
			for _, s := range c.says {
				if !strings.Contains(stderr, s) {
					t.Errorf("%q does not say %q", stderr, s)
				}
			}
			if strings.TrimSpace(stdout) != "" {
				t.Errorf("stdout has %q", stdout)
			}
			if strings.Contains(stderr, "panic") || strings.Contains(stderr, "goroutine") {
				t.Errorf("it panicked: %s", stderr)
			}
			if after := p.must("top", "tiny", "--json"); after != before {
				t.Errorf("the study changed:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// TestSecondRunIsTold starts a sweep beside a running one on the same database.
func TestSecondRunIsTold(t *testing.T) {
	p := newPlace(t)
	spec := p.file("long.yaml", strings.NewReplacer("run_cap: 2", "run_cap: 100", "name: tiny", "name: long", "train: 64", "train: 4000").Replace(tiny))
	first := p.command("run", spec)
	waitFor(t, first, "study long")
	_, stderr, code := p.sweep("run", spec)
	if code != 1 || !strings.Contains(stderr, "long") || !strings.Contains(stderr, "sweep top long") || !strings.Contains(stderr, "--db") {
		t.Errorf("the second run: exit %d, %q", code, stderr)
	}
	if _, stderr, code := p.sweep("rm", "long", "--yes"); code != 1 {
		t.Errorf("deleting a running study: exit %d, %q", code, stderr)
	}
	// A reader sees it run, and a stop request ends it in order.
	if out := p.must("studies"); !strings.Contains(out, "running") {
		t.Errorf("studies says %q", out)
	}
	p.must("stop", "long")
	if err := first.Wait(); err != nil {
		t.Errorf("after a stop request the sweep ends with %v, want exit 0", err)
	}
	var list []struct{ State string }
	decode(t, p.must("top", "long", "-n", "0", "--json"), &list)
	for i, v := range list {
		if v.State == "running" {
			t.Errorf("trial %d still runs after a stop", i)
		}
	}
}

// TestInterrupt sends one Ctrl-C: exit 130, nothing left running, and the same command goes on.
func TestInterrupt(t *testing.T) {
	p := newPlace(t)
	spec := p.file("long.yaml", strings.NewReplacer("run_cap: 2", "run_cap: 4", "train: 64", "train: 4000", "epochs: 2", "epochs: 4").Replace(tiny))
	p.must("run", spec, "--db", "calm.db")
	first := p.command("run", spec)
	waitFor(t, first, "study tiny")
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	first.Wait() //nolint:errcheck // its code is what counts
	if code := first.ProcessState.ExitCode(); code != 130 {
		t.Fatalf("after Ctrl-C: exit %d, want 130", code)
	}
	p.must("run", spec)
	calm, again := p.must("top", "tiny", "--json", "--db", "calm.db"), p.must("top", "tiny", "--json")
	if a, b := withoutAttempts(t, calm), withoutAttempts(t, again); a != b {
		t.Errorf("undisturbed:\n%s\ninterrupted:\n%s", a, b)
	}
}
