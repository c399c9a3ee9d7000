package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
)

// precisions that are measured.
var precisions = []string{"fp32", "tf32", "bf16"}

// kernelItems are those of stage 1: is everything there, and does every kernel compute what the reference does.
func (b *bench) kernelItems() []item {
	items := []item{
		{name: "driver", most: time.Minute, run: func(context.Context) (string, error) { return b.driver() }},
		{name: "device", most: time.Minute, basis: true, run: b.describe},
	}
	for _, p := range precisions {
		items = append(items, item{name: "code, " + p, most: 3 * time.Minute, run: func(context.Context) (string, error) { return b.code(p) }})
	}
	steps := "^TestSteps$"
	if b.tiny {
		steps += "/^plain$"
	}
	return append(items,
		item{name: "tests of the driver layer", most: time.Minute, run: func(ctx context.Context) (string, error) {
			return b.tests(ctx, "device", "device.test", ".")
		}},
		item{name: "tests of rounds", most: time.Minute, run: func(ctx context.Context) (string, error) {
			return b.tests(ctx, "rounds", "kernels.test", ".")
		}},
		item{name: "every kernel against the reference", run: func(ctx context.Context) (string, error) {
			return b.tests(ctx, "steps", "engine.test", steps)
		}},
	)
}

// driver says which functions the driver lacks. The stand-in has those that are called, and no others.
func (b *bench) driver() (string, error) {
	s := device.CUDA()
	if !s.Built {
		return "", errors.New("this program was built without GPU support: make gpu-bundle builds one")
	}
	if s.Reason != "" {
		return "", errors.New(s.Reason)
	}
	var missing []string
	all := symbols()
	for name, there := range all {
		if !there {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 && !b.tiny {
		return "", fmt.Errorf("%s: %d of %d functions are missing: %s", s.Driver, len(missing), len(all), strings.Join(missing, " "))
	}
	return fmt.Sprintf("%s, %d of %d functions", s.Driver, len(all)-len(missing), len(all)), nil
}

// describe names the device, and has the program itself do so.
func (b *bench) describe(ctx context.Context) (string, error) {
	if _, err := b.command(ctx, "devices", b.out, nil, b.path("bin", "sweep"), "devices"); err != nil {
		return "", err
	}
	for _, g := range device.GPUs() {
		if g.ID == b.device {
			return fmt.Sprintf("%s, %d MiB, compute capability %d.%d, %d multiprocessors", g.Name, g.Memory>>20, g.Major, g.Minor, g.Cores), nil
		}
	}
	return "", fmt.Errorf("there is no %s", b.device)
}

// code loads the kernels of a precision: the driver translates them, which takes its time where it has not kept them.
func (b *bench) code(precision string) (string, error) {
	d, err := device.Open(b.device)
	if err != nil {
		return "", err
	}
	defer d.Close() //nolint:errcheck // the finding stands
	bytes, names := 0, cuda.Modules()
	begin := time.Now()
	for _, m := range names {
		ptx, err := cuda.PTX(m, precision)
		if err != nil {
			return "", err
		}
		bytes += len(ptx)
		if _, err := d.Module(ptx); err != nil {
			return "", fmt.Errorf("load %s: %w", m, err)
		}
	}
	return fmt.Sprintf("%d modules, %d KiB, loaded in %.2f s", len(names), bytes>>10, time.Since(begin).Seconds()), nil
}

// sanitizerItems are those of stage 2.
func (b *bench) sanitizerItems() []item {
	items := []item{{name: "same bits alone and among others", most: 100 * time.Second, run: func(ctx context.Context) (string, error) {
		return b.tests(ctx, "bits", "engine.test", bitTests)
	}}}
	for _, tool := range []string{"memcheck", "racecheck"} {
		for _, t := range []struct{ name, program, pattern string }{
			{"rounds", "kernels.test", "^Test(Optimise|Reduce|Begin|Settle)$"},
			{"steps", "engine.test", sanitized},
		} {
			items = append(items, item{name: tool + ", " + t.name, least: 10 * time.Second, most: 70 * time.Second, run: func(ctx context.Context) (string, error) {
				sanitizer, err := findSanitizer()
				if err != nil {
					return "", err
				}
				return b.tests(ctx, tool+t.name, t.program, t.pattern, sanitizer, "--tool", tool, "--error-exitcode", "86", "--print-limit", "10")
			}})
		}
	}
	return items
}

// Names of tests that stage 2 runs: those of bits, and of the steps of one network with most kinds of step.
const (
	bitTests  = "(?i)(bit|alone)"
	sanitized = "^TestSteps$/^plain$"
)

func findSanitizer() (string, error) {
	for _, name := range []string{"compute-sanitizer", "/usr/local/cuda/bin/compute-sanitizer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w: compute-sanitizer is not installed", errLeftOut)
}

// ourItems are those of stage 3, the most telling first.
func (b *bench) ourItems() []item {
	var items []item
	add := func(task, precision string, slots, limit int, least time.Duration) {
		name := fmt.Sprintf("ours %s %s K=%d", task, precision, slots)
		items = append(items, item{name: name, least: least, run: func(ctx context.Context) (string, error) {
			return b.ours(ctx, name, task, precision, slots, limit)
		}})
	}
	many := 64
	if b.tiny {
		many = 2
	}
	for _, p := range []string{"tf32", "fp32", "bf16"} {
		add("B", p, many, 0, 20*time.Second)
		add("A", p, many, 0, 20*time.Second)
	}
	items = append(items, item{name: "sweep run", least: 30 * time.Second, run: b.sweep})
	if b.tiny {
		return items
	}
	for _, p := range []string{"tf32", "fp32", "bf16"} {
		add("B", p, 8, 16, 10*time.Second)
		add("A", p, 8, 16, 10*time.Second)
		add("B", p, 1, 4, 10*time.Second)
		add("A", p, 1, 4, 10*time.Second)
	}
	return items
}

// ours measures the pool, in a process of its own, as the peers are.
func (b *bench) ours(ctx context.Context, name, task, precision string, slots, limit int) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	text, err := b.command(ctx, name, b.out, nil, self, "train", "-task", filepath.Join(b.tasks(), task+".json"), "-images", b.images(),
		"-device", b.device, "-precision", precision, "-slots", fmt.Sprint(slots), "-limit", fmt.Sprint(limit),
		"-out", b.resultFile(name))
	if err != nil {
		return "", err
	}
	return lastLines(text, 1), nil
}

func (b *bench) resultFile(name string) string {
	return filepath.Join(b.out, "results", fileName(name)+".json")
}

// sweep runs the sweep file of the benchmark, as a user would, on images in a folder, and notes how long it took.
func (b *bench) sweep(ctx context.Context) (string, error) {
	t, err := readTask(filepath.Join(b.tasks(), "A.json"))
	if err != nil {
		return "", err
	}
	device, err := nameOf(b.device)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "gpu-check")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := writePhotos(filepath.Join(dir, "photos"), t, b.images()); err != nil {
		return "", err
	}
	text, err := os.ReadFile(b.path("bench", "gpu", "cae.yaml"))
	if err != nil {
		return "", err
	}
	if b.tiny {
		text = []byte(strings.NewReplacer("train: 10000", "train: 40", "validation: 2000", "validation: 8", "epochs: 10\n", "epochs: 1\n",
			"[32, 64, 128, 256]", "[8]", "min: 64, max: 512", "min: 8, max: 16").Replace(string(text)))
	}
	file := filepath.Join(dir, "cae.yaml")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return "", err
	}
	trials := len(t.Trials)
	begin := time.Now()
	_, err = b.command(ctx, "sweep run", dir, nil, b.path("bin", "sweep"), "run", file, "--devices", b.device, "--trials", fmt.Sprint(trials),
		"--db", filepath.Join(dir, "sweep.db"), "--data", dir, "--offline", "--json")
	if err != nil {
		return "", err
	}
	seconds := time.Since(begin).Seconds()
	r := result{
		Way: "sweep run, tpe", Task: "sweep", Precision: "tf32", Device: device, Epochs: t.Epochs, Train: t.Train, Validation: t.Validation,
		Trials: make([]score, trials), Seconds: seconds, Images: trials * t.Epochs * t.Train,
	}
	if err := writeJSON(b.resultFile("sweep run"), r); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d trials in %.1f s with the start of the program, reading the images, the database and the files", trials, seconds), nil
}
