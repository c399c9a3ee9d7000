package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A stage does what is left: what passed is not done again, what failed or was left out is.
func TestItems(t *testing.T) {
	out := t.TempDir()
	for _, d := range []string{"findings", "logs"} {
		if err := os.MkdirAll(filepath.Join(out, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b := &bench{root: t.TempDir(), out: out, stderr: &bytes.Buffer{}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	runs := 0
	do := func(it item, again bool) finding {
		t.Helper()
		b.again = again
		r, err := b.do(ctx, 1, it)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	good := item{name: "a good one", run: func(context.Context) (string, error) { runs++; return "well", nil }}
	if r := do(good, false); r.State != passed || r.Detail != "well" || runs != 1 {
		t.Errorf("%+v after %d runs", r, runs)
	}
	if r := do(good, false); r.State != passed || runs != 1 || !strings.Contains(r.Detail, "done before") {
		t.Errorf("%+v after %d runs", r, runs)
	}
	if do(good, true); runs != 2 {
		t.Errorf("%d runs", runs)
	}
	bad := item{name: "bad", run: func(context.Context) (string, error) { runs++; return "", errors.New("broken") }}
	do(bad, false)
	if r := do(bad, false); r.State != failed || r.Detail != "broken" || runs != 4 {
		t.Errorf("%+v after %d runs", r, runs)
	}
	absent := item{name: "absent", run: func(context.Context) (string, error) { return "", fmt.Errorf("%w: not here", errLeftOut) }}
	if r := do(absent, false); r.State != leftOut || r.Detail != "not here" {
		t.Errorf("%+v", r)
	}
	long := item{name: "long", most: time.Millisecond, run: func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }}
	if r := do(long, false); r.State != leftOut || !strings.Contains(r.Detail, "did not end") {
		t.Errorf("%+v", r)
	}
	halted, halt := context.WithCancel(ctx)
	long.run = func(ctx context.Context) (string, error) { halt(); <-ctx.Done(); return "half of it", ctx.Err() }
	if r, err := b.do(halted, 1, item{name: "halted", run: long.run}); err != nil || r.State != leftOut || r.Detail != "it was stopped; half of it" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := b.do(halted, 1, item{name: "behind it", run: good.run}); err != nil || r.State != leftOut || !strings.Contains(r.Detail, "was stopped") {
		t.Errorf("%+v, %v", r, err)
	}
	deaf := make(chan struct{})
	defer close(deaf)
	short, stop := context.WithTimeout(t.Context(), time.Millisecond)
	defer stop()
	if _, err := within(short, time.Millisecond, func(context.Context) (string, error) { <-deaf; return "", nil }); err == nil {
		t.Error("what cannot be ended is taken as ended")
	}
	late := item{name: "late", least: time.Hour, run: good.run}
	if r := do(late, false); r.State != leftOut || !strings.Contains(r.Detail, "again") || runs != 4 {
		t.Errorf("%+v after %d runs", r, runs)
	}
	var table bytes.Buffer
	err := tableOf(&table, 1, []finding{do(good, false), do(bad, false)})
	if err == nil || !strings.Contains(table.String(), "broken") {
		t.Errorf("%v\n%s", err, table.String())
	}
}

// A program that does not end is ended with all that it has started, and what it said is kept.
func TestCommand(t *testing.T) {
	out := t.TempDir()
	if err := os.MkdirAll(filepath.Join(out, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := &bench{out: out}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if _, err := b.command(ctx, "long one", out, nil, "/bin/sh", "-c", "echo begun; sleep 60 & sleep 60"); err == nil {
		t.Error("no error")
	}
	if spent := time.Since(begin); spent > 20*time.Second {
		t.Errorf("it took %s to end it", spent)
	}
	if text, err := os.ReadFile(filepath.Join(out, "logs", "long-one.log")); err != nil || string(text) != "begun\n" {
		t.Errorf("kept %q, %v", text, err)
	}
	text, err := b.command(t.Context(), "failing", out, []string{"WORD=hello"}, "/bin/sh", "-c", "echo $WORD; echo why >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "hello / why") || text != "hello\nwhy\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// Tests that are ended before their end go on with what has not passed.
func TestTests(t *testing.T) {
	root, out := t.TempDir(), t.TempDir()
	for _, d := range []string{filepath.Join(root, "bin", "tests"), filepath.Join(out, "logs")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := `#!/bin/sh
case "$*" in
*-test.list*) echo TestSteps TestSome ;;
*-test.skip*) printf '\026--- PASS: TestSteps/later (0.10s)\n\026--- PASS: TestSteps (0.20s)\n%s\n' "$*" ;;
*TestSome*) printf '\026--- FAIL: TestSome/a (0.10s)\n'; sleep 60 ;;
*) printf '\026--- PASS: TestSteps/a+b,_c/deep (0.10s)\n\026--- PASS: TestSteps/a+b,_c (0.10s)\n\026=== RUN   TestSteps/later\n'; sleep 60 ;;
esac
`
	if err := os.WriteFile(filepath.Join(root, "bin", "tests", "x.test"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	b := &bench{root: root, out: out, stderr: &bytes.Buffer{}}
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if said, err := b.tests(short, "steps", "x.test", "^TestSteps$"); err == nil || !strings.HasSuffix(said, "not done again: 1") {
		t.Errorf("%q, %v", said, err)
	}
	said, err := b.tests(t.Context(), "steps", "x.test", "^TestSteps$")
	if err != nil || said != "2 passed, 0 failed, 0 skipped; parts passed before: 1" {
		t.Errorf("%q, %v", said, err)
	}
	if text, err := os.ReadFile(filepath.Join(out, "logs", "steps.log")); err != nil || !strings.Contains(string(text), `-test.skip ^TestSteps$/^a\+b,_c$`) {
		t.Errorf("%s, %v", text, err)
	}
	if err := os.Mkdir(filepath.Join(out, "findings"), 0o755); err != nil {
		t.Fatal(err)
	}
	long, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	r, err := b.do(long, 1, item{name: "some", most: time.Second, run: func(ctx context.Context) (string, error) {
		return b.tests(ctx, "some", "x.test", "^TestSome$")
	}})
	if err != nil || r.State != failed || !strings.Contains(r.Detail, "1 failed") {
		t.Errorf("tests that fail and do not end: %+v, %v", r, err)
	}
	if err := os.Remove(filepath.Join(out, "logs", "some.passed.json")); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(filepath.Join(out, "logs", "*.passed.json")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// Names of items become files: they must differ, in every stage.
func TestNames(t *testing.T) {
	b := &bench{}
	for stage, items := range [][]item{b.kernelItems(), b.sanitizerItems(), b.ourItems(), b.peerItems()} {
		seen := map[string]bool{}
		for _, it := range items {
			if f := fileName(it.name); seen[f] || f == "" {
				t.Errorf("stage %d has %q twice", stage+1, it.name)
			} else {
				seen[f] = true
			}
		}
	}
}

// The result of a whole sweep names its device as all others do, by what it is.
func TestStageSweep(t *testing.T) {
	root, out := t.TempDir(), t.TempDir()
	b := &bench{root: root, out: out, device: "cpu:0", tiny: true}
	for _, d := range []string{root + "/bin", b.images(), root + "/bench/gpu", out + "/results", out + "/logs"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := writeTasks(b.tasks(), caeFile, tinySize); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("cae.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]byte, 40*side*side*channels)
	for name, content := range map[string][]byte{
		"bench/gpu/cae.yaml": text, "bin/sweep": []byte("#!/bin/sh\necho \"$@\"\n"), "bin/images/train.bin": pixels, "bin/images/validation.bin": pixels,
	} {
		if err := os.WriteFile(filepath.Join(root, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	var r result
	if err := readJSON(b.resultFile("sweep run"), &r); err != nil || r.Device != "cpu" || len(r.Trials) != 2 || !noGPU(r.Device) {
		t.Errorf("%+v, %v", r, err)
	}
	if said, err := os.ReadFile(filepath.Join(out, "logs", "sweep-run.log")); err != nil || !strings.Contains(string(said), "--devices cpu:0") {
		t.Errorf("it ran with %s, %v", said, err)
	}
	b.device = "cuda:99"
	if _, err := b.sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "cuda:99") {
		t.Errorf("a GPU that is not there: %v", err)
	}
}
