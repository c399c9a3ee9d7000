package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
)

// A stage ends within this time, whatever it has not come to: some machines end every command after ten minutes, and two stages
// fit in that.
const stageTime = 290 * time.Second

// State says how an item of a stage ended.
type state string

const (
	passed  state = "ok"
	failed  state = "failed"
	leftOut state = "left out"
)

// finding is what an item of a stage found.
type finding struct {
	Stage   int     `json:"stage"`
	Item    string  `json:"item"`
	State   state   `json:"state"`
	Detail  string  `json:"detail"`
	Seconds float64 `json:"seconds"`
}

// item is one thing to check or measure. Its error is a failure; one that wraps errLeftOut says why it was not done. Of one that
// does not end, detail is what it has come to.
type item struct {
	name  string
	least time.Duration // it is not begun with less time than that
	most  time.Duration // it is ended after this
	basis bool          // where it fails, nothing after it is begun
	run   func(ctx context.Context) (detail string, err error)
}

var (
	errLeftOut = errors.New("left out")
	errFailed  = errors.New("failed") // whether or not there was time to end
)

// bench is where all things lie, and how large they are.
type bench struct {
	root    string // of the bundle, or of the checkout
	out     string
	archive string // folder for an archive of what is in out; none where it is empty
	device  string
	tiny    bool
	again   bool // do also what has been done
	stderr  io.Writer
	torch   string // the interpreter with PyTorch, once it is found
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.root}, parts...)...)
}

func (b *bench) tasks() string  { return filepath.Join(b.out, "tasks") }
func (b *bench) images() string { return b.path("bin", "images") }

// check runs a stage. It fails where an item did, but not where one was left out.
func check(ctx context.Context, f *flag.FlagSet, args []string, out io.Writer) error {
	stage := f.Int("stage", 0, "1: driver and kernels; 2: sanitizer and bits; 3: our training; 4: the peers'")
	dir := f.String("out", outFolder, "folder for what is found")
	archive := archiveFlag(f)
	dev := f.String("device", "cuda:0", "the GPU")
	tiny := f.Bool("tiny", os.Getenv("GPU_CHECK_TINY") == "1", "try the stages themselves, at small sizes, with peers on the CPU")
	again := f.Bool("again", false, "do also what has been done")
	only := f.String("only", "", "items whose names this regular expression finds")
	if err := f.Parse(args); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &bench{root: filepath.Dir(filepath.Dir(self)), archive: *archive, device: *dev, tiny: *tiny, again: *again, stderr: os.Stderr}
	if b.out, err = filepath.Abs(*dir); err != nil {
		return err
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	var items []item
	switch *stage {
	case 1:
		items = b.kernelItems()
	case 2:
		items = b.sanitizerItems()
	case 3:
		items = b.ourItems()
	case 4:
		items = b.peerItems()
	default:
		return errors.New("-stage is 1, 2, 3 or 4")
	}
	for _, d := range []string{filepath.Join(b.out, "results"), filepath.Join(b.out, "findings"), filepath.Join(b.out, "logs")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := writeTasks(b.tasks(), b.path("sweeps", "cae.yaml"), sizeOf(b.tiny)); err != nil {
		return err
	}
	var list []finding
	ctx, cancel := context.WithTimeout(ctx, stageTime)
	defer cancel()
	for _, it := range items {
		if !wanted.MatchString(it.name) {
			continue
		}
		r, err := b.do(ctx, *stage, it)
		if err != nil {
			return err
		}
		list = append(list, r)
		if it.basis && r.State == failed {
			break
		}
	}
	var table bytes.Buffer
	err = tableOf(&table, *stage, list)
	if stopped(ctx) {
		err = errors.Join(err, errors.New("stopped; run the stage again for what is left"))
	}
	if _, werr := out.Write(table.Bytes()); werr != nil {
		return werr
	}
	return errors.Join(err, b.keep(fmt.Sprintf("stage-%d.txt", *stage), table.Bytes()))
}

// outFolder is where what is found stays, for the stages that follow.
const outFolder = "gpu-check-out"

func archiveFlag(f *flag.FlagSet) *string {
	return f.String("pack", "", "folder for "+outFolder+".tar.gz, an archive of all that was found")
}

// keep writes a table beside what was found, and where another folder is named, an archive of all of it into that one: from a
// machine that forgets everything after a command, one file is taken away, and the next command goes on from it.
func (b *bench) keep(name string, table []byte) error {
	if err := os.WriteFile(filepath.Join(b.out, name), table, 0o644); err != nil {
		return err
	}
	if b.archive == "" {
		return nil
	}
	if err := os.MkdirAll(b.archive, 0o755); err != nil {
		return err
	}
	return pack(filepath.Join(b.archive, outFolder+".tar.gz"), b.out)
}

// pack archives what a folder holds, but for what compilers keep for themselves, under the name of outFolder.
func pack(file, folder string) (err error) {
	w, err := os.Create(file + ".part")
	if err != nil {
		return err
	}
	z := gzip.NewWriter(w)
	a := tar.NewWriter(z)
	err = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "inductor":
			return filepath.SkipDir
		case !e.Type().IsRegular() || strings.HasPrefix(e.Name(), filepath.Base(file)):
			return nil
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: filepath.ToSlash(filepath.Join(outFolder, name)), Mode: 0o644, Size: int64(len(text))}
		if err := a.WriteHeader(h); err != nil {
			return err
		}
		_, err = a.Write(text)
		return err
	})
	if err := errors.Join(err, a.Close(), z.Close(), w.Close()); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

// stopped tells whether somebody has ended the stage, by Ctrl-C or a signal, not its own time.
func stopped(ctx context.Context) bool { return errors.Is(ctx.Err(), context.Canceled) }

// do runs an item, unless an earlier run of the stage has, and keeps what it found.
func (b *bench) do(ctx context.Context, stage int, it item) (finding, error) {
	file := filepath.Join(b.out, "findings", fmt.Sprintf("%d-%s.json", stage, fileName(it.name)))
	r := finding{Stage: stage, Item: it.name}
	if err := readJSON(file, &r); err == nil && r.State == passed && !b.again {
		r.Detail += " (done before)"
		return r, nil
	}
	r = finding{Stage: stage, Item: it.name}
	end, _ := ctx.Deadline()
	left := time.Until(end)
	switch {
	case stopped(ctx):
		r.State, r.Detail = leftOut, "the stage was stopped before it"
		return r, nil
	case ctx.Err() != nil || left < it.least:
		r.State, r.Detail = leftOut, fmt.Sprintf("no time is left: it takes at least %s; run the stage again", it.least)
		return r, nil
	}
	limit := left
	if it.most > 0 {
		limit = min(left, it.most)
	}
	fmt.Fprintf(b.stderr, "%s …\n", it.name)
	ictx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begin := time.Now()
	detail, err := within(ictx, grace, it.run)
	r.Seconds = time.Since(begin).Seconds()
	r.State, r.Detail = passed, detail
	if detail != "" {
		detail = "; " + detail
	}
	switch {
	case err == nil:
	case errors.Is(err, errLeftOut):
		r.State, r.Detail = leftOut, strings.TrimPrefix(err.Error(), errLeftOut.Error()+": ")
	case errors.Is(err, errFailed):
		r.State, r.Detail = failed, strings.TrimPrefix(err.Error(), errFailed.Error()+": ")
	case stopped(ctx):
		r.State, r.Detail = leftOut, "it was stopped"+detail
	case ictx.Err() != nil:
		r.State, r.Detail = leftOut, fmt.Sprintf("it did not end within %.0f s%s", limit.Seconds(), detail)
	default:
		r.State, r.Detail = failed, err.Error()
	}
	return r, writeJSON(file, r)
}

// grace is what an item gets to end by itself when its time is over: a program that it runs is ended, and what it said kept.
const grace = 8 * time.Second

// within runs an item and waits no longer than its time and then `wait`: a call into a driver cannot be ended, only left behind.
func within(ctx context.Context, wait time.Duration, run func(context.Context) (string, error)) (string, error) {
	type end struct {
		detail string
		err    error
	}
	done := make(chan end, 1)
	go func() {
		detail, err := run(ctx)
		done <- end{detail, err}
	}()
	select {
	case e := <-done:
		return e.detail, e.err
	case <-ctx.Done():
	}
	select {
	case e := <-done:
		return e.detail, e.err
	case <-time.After(wait):
		return "", ctx.Err()
	}
}

// fileName is a name as part of a file's name.
func fileName(s string) string {
	return strings.Trim(regexp.MustCompile(`[^a-zA-Z0-9]+`).ReplaceAllString(s, "-"), "-")
}

// tableOf prints the findings of a stage; the error is that of a stage with failures.
func tableOf(out io.Writer, stage int, list []finding) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "STAGE %d\tRESULT\tSECONDS\tDETAIL\n", stage)
	bad := 0
	for _, r := range list {
		if r.State == failed {
			bad++
		}
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%s\n", r.Item, r.State, r.Seconds, strings.ReplaceAll(r.Detail, "\n", " "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("stage %d: %d of %d failed", stage, bad, len(list))
	}
	return nil
}
