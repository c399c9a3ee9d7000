// Command host measures the host's side of a sweep on a GPU: a pool of many slots whose epochs take no time, on the real
// store, with real pictures, models and checkpoints of the networks of a sweep file. What it prints, trials a second, is
// what no GPU gets beyond.
//
//	go run ./bench/host -spec sweeps/cae.yaml -trials 2000 -slots 64 -epochs 10
//	go run ./bench/host -cpuprofile host.pprof && go tool pprof -top host.pprof
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"sweep/storage"
	"sweep/study"
	"sweep/study/pruner"
	"sweep/study/sampler"
	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "host:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("host", flag.ExitOnError)
	file := f.String("spec", "sweeps/cae.yaml", "the sweep file whose space is searched")
	method := f.String("method", "", "tpe or random; empty: the file's")
	trials := f.Int("trials", 1000, "trials")
	slots := f.Int("slots", 64, "trials at once")
	epochs := f.Int("epochs", 10, "epochs of a trial")
	classes := f.Bool("classes", true, "the images have classes, so that a linear classifier is fitted to the codes")
	prune := f.Bool("prune", false, "with the file's pruner; without it every trial trains all its epochs")
	folder := f.String("dir", "", "where the database is made; empty: a temporary folder")
	profile := f.String("cpuprofile", "", "write a profile to this file")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || *trials < 1 || *slots < 1 || *epochs < 1 {
		return errors.New("it takes flags alone, and -trials, -slots and -epochs are at least 1")
	}
	s, err := readSpec(*file)
	if err != nil {
		return err
	}
	s.Name, s.RunCap, s.Epochs, s.Data.Train, s.Data.Validation = "host", *trials, *epochs, 2000, 2000
	if *method != "" {
		s.Method = *method
	}
	if !*prune {
		s.Pruner = study.PrunerSpec{}
	}
	dir := *folder
	if dir == "" {
		if dir, err = os.MkdirTemp("", "sweep-host-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	}
	if *profile != "" {
		w, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer w.Close()
		if err := pprof.StartCPUProfile(w); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	begin, used := time.Now(), processor()
	e := &engine{slots: make([]*trial, *slots)}
	if err := sweep(context.Background(), s, filepath.Join(dir, "host.db"), e, *classes); err != nil {
		return err
	}
	took := time.Since(begin)
	rate := float64(*trials) / took.Seconds()
	fmt.Fprintf(out, "%d trials of %d epochs, %d at once, method %s: %.1f trials/s, %.0f an hour; %.2f cores busy, %.1f ms of a core a trial; %d checkpoints\n",
		*trials, *epochs, *slots, s.Method, rate, 3600*rate, (processor()-used).Seconds()/took.Seconds(),
		1e3*(processor()-used).Seconds()/float64(*trials), e.saves.Load())
	return nil
}

func readSpec(file string) (study.Spec, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return study.Spec{}, err
	}
	all := trainer.Catalogues(dataset.Catalogue())
	return spec.Parse(spec.Source{Name: file, Text: text}, all[0], all[1:]...)
}

// processor is the time of all cores that this process has used.
func processor() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// sweep runs a study on an engine as `sweep run` does.
func sweep(ctx context.Context, s study.Spec, path string, e trainer.Engine, classes bool) error {
	source, err := dataset.Open("shapes", "")
	if err != nil {
		return err
	}
	train, validation, err := source.Split(s.Seed, s.Data.Train, s.Data.Validation)
	if err != nil {
		return err
	}
	if !classes {
		train.Labels, train.Classes, validation.Labels, validation.Classes = nil, nil, nil, nil
	}
	lock, err := storage.Lock(path, storage.Holder{})
	if err != nil {
		return err
	}
	defer lock.Release() //nolint:errcheck // the system frees it too
	db, err := storage.Open(ctx, path, storage.Options{Write: true})
	if err != nil {
		return err
	}
	defer db.Close()
	st, err := db.CreateStudy(ctx, s, study.Data{Name: "shapes"}, time.Now())
	if err != nil {
		return err
	}
	smp, err := sampler.New(s)
	if err != nil {
		return err
	}
	prn, err := pruner.New(s.Pruner)
	if err != nil {
		return err
	}
	r, err := study.NewRunner(ctx, study.RunnerConfig{Study: st, Store: db, Sampler: smp, Pruner: prn, Now: time.Now})
	if err != nil {
		return err
	}
	p := &trainer.Pool{
		Work: r, Engines: []trainer.Engine{e}, Host: "here", Now: time.Now,
		Configure: func(g study.Grant) (trainer.Config, error) {
			c, err := trainer.DecodeFor(g.Spec.Trainer, g.Params)
			if err != nil {
				return c, err
			}
			c.Use(train, validation)
			c.Epochs, c.Seed, c.Patience = g.Spec.Epochs, g.Spec.Seed, 0 // whole trials
			return c, c.Check()
		},
		Encode: checkpoint.Encode, Decode: checkpoint.Decode, EncodeModel: checkpoint.EncodeModel, Strip: checkpoint.Strip,
	}
	return p.Run(ctx)
}
