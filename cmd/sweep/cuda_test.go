//go:build gpu && linux && amd64

package main_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/trainer/device/devicetest"
)

// cudaSweep is a sweep of some seconds over a folder of 16x16 images on the stand-in driver.
const cudaSweep = `
name: gpu
method: random
metric: {name: val_mse, goal: minimize}
run_cap: 4
parameters:
  lr:      {values: [0.004, 0.006, 0.01]}
  batch:   {values: [8, 16]}
  latent:  {values: [4, 8]}
  loss:    {values: [mse, mse+ssim]}
  depth:   {value: 1}
  filters: {value: [4]}
sweep:
  trainer: cae
  data: {name: "folder:images", size: 16, train: 40, validation: 8}
  epochs: 3
  seed: 5
`

// cudaPlace is a place with the images of cudaSweep.
func cudaPlace(t *testing.T) place {
	t.Helper()
	devicetest.Require(t)
	p := newPlace(t)
	for i := range 64 {
		picture(t, filepath.Join(p.dir, "data", "images", fmt.Sprintf("%02d.png", i)), i, 16, 16, true)
	}
	p.file("gpu.yaml", cudaSweep)
	return p
}

// of is the same place in a part of its test.
func (p place) of(t *testing.T) place {
	p.t = t
	return p
}

// with runs the binary with variables of its own.
func (p place) with(env []string, args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	c := p.command(args...)
	c.Env = append(c.Env, env...)
	return p.ends(c)
}

type cudaTrial struct {
	State    string
	Params   map[string]any
	Attempts []struct{ Device, Kind, Because, State string } `json:"attempt_list"`
	whole    map[string]any                                  // without what is time or place
}

// cudaTable reads all trials of a study.
func (p place) cudaTable(db, study string, trials int) []cudaTrial {
	p.t.Helper()
	out := make([]cudaTrial, trials)
	for n := range out {
		text := []byte(p.must("show", study, fmt.Sprint(n), "--json", "--db", db))
		for _, to := range []any{&out[n], &out[n].whole} {
			if err := json.Unmarshal(text, to); err != nil {
				p.t.Fatal(err)
			}
		}
		for _, k := range []string{"attempt_list", "attempts", "duration_s"} {
			delete(out[n].whole, k)
		}
		for _, part := range []string{"metrics", "history"} {
			m := out[n].whole[part].(map[string]any)
			delete(m, "epoch_s")
			delete(m, "images_per_s")
		}
	}
	return out
}

// equal compares two tables to the bit, files included.
func (p place) equal(what string, a, b []cudaTrial) {
	p.t.Helper()
	for n := range a {
		if d := cmp.Diff(a[n].whole, b[n].whole); d != "" {
			p.t.Errorf("%s: trial %d (-undisturbed +%[1]s):\n%[3]s", what, n, d)
		}
	}
}

// TestCUDASweep trains a sweep on a GPU, one trial at a time and four, exports the best and verifies it; breaks it off without
// a warning and goes on; loses the context in the middle: every number and every file is the same.
func TestCUDASweep(t *testing.T) {
	p := cudaPlace(t)
	p.must("run", "gpu.yaml", "--db", "one.db", "--devices", "cuda:0", "--workers", "1")
	one := p.cudaTable("one.db", "gpu", 4)
	for n, tr := range one {
		if a := tr.Attempts; tr.State != "complete" || len(a) != 1 || a[0].Device != "cuda:0" || a[0].Kind != "stand-in 0, fp32" || a[0].Because != "" {
			t.Errorf("trial %d is %s: %+v", n, tr.State, a)
		}
	}
	if out := p.must("show", "gpu", "0", "--db", "one.db"); !strings.Contains(out, "cuda:0 (stand-in 0, fp32)") {
		t.Errorf("show does not say where it ran:\n%s", out)
	}
	p.must("export", "gpu", "--db", "one.db", "-o", "best")
	if out := p.must("verify", "best"); !strings.Contains(out, "ok") {
		t.Errorf("verify says %q", out)
	}

	t.Run("four at once", func(t *testing.T) {
		p := p.of(t)
		_, stderr, code := p.with(nil, "run", "gpu.yaml", "--db", "four.db", "--devices", "cuda:0", "--workers", "4")
		if code != 0 || !strings.Contains(stderr, "4 trials at once") || !strings.Contains(stderr, "not yet measured on hardware") {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		p.equal("four at once", one, p.cudaTable("four.db", "gpu", 4))
	})
	t.Run("killed", func(t *testing.T) {
		p := p.of(t)
		// Long enough to be broken off between a checkpoint and its end, which takes that away.
		p.file("long.yaml", strings.NewReplacer("name: gpu", "name: long", "epochs: 3", "epochs: 40").Replace(cudaSweep))
		p.must("run", "long.yaml", "--db", "long.db", "--devices", "cuda:0")
		long := p.cudaTable("long.db", "long", 4)
		run := []string{"run", "long.yaml", "--db", "killed.db", "--devices", "cuda:0", "--workers", "2"}
		p.killed(p.command(run...), "killed.db")
		p.must(run...)
		got := p.cudaTable("killed.db", "long", 4)
		p.equal("killed", long, got)
		resumed := 0
		for _, tr := range got {
			resumed += len(tr.Attempts) - 1
		}
		if resumed == 0 {
			t.Error("no trial was broken off")
		}
	})
	t.Run("lost", func(t *testing.T) {
		p := p.of(t)
		_, stderr, code := p.with([]string{"SWEEP_FAKE_FAIL_AFTER=900"}, "run", "gpu.yaml", "--db", "lost.db", "--devices", "cuda:0", "--workers", "2")
		if code != 0 || !strings.Contains(stderr, "cuda:0 was lost and is open again") {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		got := p.cudaTable("lost.db", "gpu", 4)
		p.equal("lost", one, got)
		lost := 0
		for _, tr := range got {
			for _, a := range tr.Attempts {
				if a.State == "lost" {
					lost++
				}
			}
		}
		if lost == 0 {
			t.Error("no attempt was lost")
		}
	})
}

// killed starts a sweep and kills it as soon as its database holds a checkpoint.
func (p place) killed(c *exec.Cmd, name string) {
	p.t.Helper()
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() { over <- c.Wait() }()
	late := time.After(time.Minute)
	for !p.checkpointed(name) {
		select {
		case err := <-over:
			p.t.Fatalf("the sweep was over before it was killed: %v\n%s", err, &said)
		case <-late:
			c.Process.Kill() //nolint:errcheck // it may have ended
			<-over
			p.t.Fatalf("no checkpoint was written in a minute\n%s", &said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	c.Process.Kill() //nolint:errcheck // Wait tells
	if err := <-over; err == nil {
		p.t.Fatalf("the sweep was over before it was killed\n%s", &said)
	}
}

// checkpointed reports whether a database is there and holds a checkpoint.
func (p place) checkpointed(name string) bool {
	p.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(p.dir, name)+"?mode=ro")
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	var n int
	err = db.QueryRow(`SELECT count(*) FROM artifact WHERE kind = 'checkpoint'`).Scan(&n)
	return err == nil && n > 0
}

// What a GPU has no kernel for is trained on a core, and plan and attempts say so; with GPUs alone it is refused at its
// place in the file.
func TestCUDABesideCores(t *testing.T) {
	p := cudaPlace(t)
	p.file("mixed.yaml", strings.NewReplacer("name: gpu", "name: mixed", "method: random", "method: grid", "run_cap: 4", "run_cap: 2",
		"[0.004, 0.006, 0.01]", "[0.01]", "[8, 16]", "[8]", "[4, 8]", "[4]", "[mse, mse+ssim]", "[mse]",
		"  depth:   {value: 1}", "  depth:   {value: 1}\n  variant: {values: [plain, attention]}").Replace(cudaSweep))
	_, stderr, code := p.with(nil, "run", "mixed.yaml", "--devices", "cuda:0")
	for _, words := range []string{"mixed.yaml:12:29:", "variant attention needs a CPU core", "attention", "--devices cuda,cpu"} {
		if code == 0 || !strings.Contains(stderr, words) {
			t.Errorf("on GPUs alone: exit %d, without %q:\n%s", code, words, stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(p.dir, "sweep.db")); err == nil {
		t.Error("a sweep that was refused has a database")
	}
	var plan struct {
		Workers, Cores int
		CoreShare      float64 `json:"core_share"`
		NeedsCore      []struct {
			Parameter string
			Value     any
			Steps     []string
		} `json:"needs_core"`
		GPUs []string
	}
	decode(t, p.must("plan", "mixed.yaml", "--json"), &plan)
	if len(plan.NeedsCore) != 1 || plan.NeedsCore[0].Parameter != "variant" || plan.NeedsCore[0].Value != "attention" ||
		plan.CoreShare < 0.3 || plan.CoreShare > 0.7 || len(plan.GPUs) != 1 || plan.Cores != runtime.GOMAXPROCS(0) {
		t.Errorf("plan says %+v", plan)
	}
	// A GPU without room is still one among the devices: a precision is not said to be in vain.
	p.file("exact.yaml", cudaSweep+"  precision: tf32\n")
	if out, stderr, code := p.with([]string{"SWEEP_FAKE_MEMORY=300000"}, "plan", "exact.yaml", "--devices", "cuda"); code != 0 ||
		!strings.Contains(out+stderr, "will refuse this sweep here") || strings.Contains(out+stderr, "cores compute in fp32") {
		t.Errorf("plan for a GPU without room: exit %d\n%s%s", code, out, stderr)
	}
	_, stderr, code = p.with(nil, "run", "mixed.yaml")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	if words := fmt.Sprintf("%d trials at once", plan.Workers); !strings.Contains(stderr, words) {
		t.Errorf("plan says %s, the run another number:\n%s", words, stderr)
	}
	for n, tr := range p.cudaTable("sweep.db", "mixed", 2) {
		a := tr.Attempts[len(tr.Attempts)-1]
		switch tr.Params["variant"] {
		case "plain":
			if a.Device != "cuda:0" || a.Because != "" {
				t.Errorf("the plain trial %d ran on %+v", n, a)
			}
		case "attention":
			if !strings.HasPrefix(a.Device, "cpu:") || a.Because != "the GPUs have no kernel for attention, attention.grad" || a.Kind == "" {
				t.Errorf("the trial %d with attention ran on %+v", n, a)
			}
		}
	}
}

// What stands in the way of a device is said with what to do.
func TestCUDAErrors(t *testing.T) {
	p := cudaPlace(t)
	for _, c := range []struct {
		name    string
		env     []string
		devices string
		words   []string
	}{
		{"no such device", nil, "cuda:3", []string{"--devices cuda:3", "there is no GPU cuda:3", "cuda:0 (stand-in 0)"}},
		{"second of two", []string{"SWEEP_FAKE_DEVICES=2", "CUDA_VISIBLE_DEVICES=1"}, "cuda:1", []string{"there is no GPU cuda:1"}},
		{"hidden part", nil, "MIG-1234", []string{"CUDA_VISIBLE_DEVICES=MIG-1234"}},
		{"no driver", []string{"SWEEP_LIBCUDA=/nowhere/libcuda.so.1"}, "cuda:0", []string{"no GPU can be used", "no driver", "--devices cpu"}},
		{"no GPU", []string{"CUDA_VISIBLE_DEVICES="}, "cuda", []string{"no GPU can be used", "no GPU that it may use", `CUDA_VISIBLE_DEVICES, which hides all that it does not name, is ""`}},
		{"no memory", []string{"SWEEP_FAKE_MEMORY=300000"}, "cuda:0", []string{"largest configuration of this sweep", "batch 16", "lower batch, filters or latent"}},
		{"no such core", nil, "cuda:0,cpu:999", []string{"there is no core cpu:999"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, stderr, code := p.with(c.env, "run", "gpu.yaml", "--devices", c.devices)
			for _, w := range c.words {
				if code == 0 || !strings.Contains(stderr, w) {
					t.Errorf("exit %d, without %q:\n%s", code, w, stderr)
				}
			}
		})
	}
	// Without a word a machine without a usable GPU trains on its cores.
	if _, stderr, code := p.with([]string{"SWEEP_LIBCUDA=/nowhere/libcuda.so.1"}, "run", "gpu.yaml"); code != 0 || strings.Contains(stderr, "cuda") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	// What CUDA_VISIBLE_DEVICES leaves is what is used.
	_, stderr, code := p.with([]string{"SWEEP_FAKE_DEVICES=2", "CUDA_VISIBLE_DEVICES=1"}, "run", "gpu.yaml", "--name", "second", "--devices", "cuda:0")
	if code != 0 || !strings.Contains(stderr, "cuda:0 (stand-in 1, fp32") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}
