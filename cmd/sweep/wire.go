package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"sweep/storage"
	"sweep/study"
	"sweep/study/pruner"
	"sweep/study/sampler"
	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
)

// catalogues are what the built-in trainers declare, the default first.
func catalogues() []study.Catalogue { return trainer.Catalogues(dataset.Catalogue()) }

// catalogueOf is that of one trainer.
func catalogueOf(trainer string) study.Catalogue {
	all := catalogues()
	for _, c := range all {
		if c.Trainer == trainer {
			return c
		}
	}
	return all[0]
}

// readSpec reads and checks a sweep file and lays the flags over it.
func (a *app) readSpec(file string, f runFlags) (study.Spec, []string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return study.Spec{}, nil, usagef("there is no sweep file %s: name one, such as sweeps/lr.yaml", file)
	}
	if err != nil {
		return study.Spec{}, nil, usagef("read the sweep file: %w", err)
	}
	known := catalogues()
	s, err := spec.Parse(spec.Source{Name: file, Text: text}, known[0], known[1:]...)
	if err != nil {
		return study.Spec{}, nil, err
	}
	if f.set("name") {
		if err := spec.CheckName(f.name); err != nil {
			return study.Spec{}, nil, usagef("--name: %w", err)
		}
		s.Name = f.name
	}
	s.FileRunCap = s.RunCap
	if f.set("trials") {
		s.RunCap = f.trials
	}
	if f.set("seed") {
		s.Seed = f.seed
	}
	if f.set("workers") {
		if f.workers < 0 {
			return study.Spec{}, nil, usagef("--workers %d: give a number of trials at once; 0: one a core, and as many as fit on a GPU", f.workers)
		}
		s.Workers = f.workers
	}
	if f.devices != "" {
		if s.Devices, err = spec.Devices(f.devices); err != nil {
			return study.Spec{}, nil, usagef("--devices: %w", err)
		}
	}
	return s, spec.Warnings(s), nil
}

// where chooses the devices of a sweep. One that is for GPUs alone must need nothing that they lack.
func (a *app) where(ctx context.Context, file string, s study.Spec, f runFlags) (choice, error) {
	c, err := here(s.Devices).choose(s.Devices)
	switch {
	case err != nil && f.devices != "":
		return c, usagef("--devices %s: %w", f.devices, err)
	case err != nil:
		return c, fmt.Errorf("devices of %s: %w", file, err)
	case len(c.gpus) == 0 || len(c.cores) > 0:
		return c, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return c, fmt.Errorf("read the sweep file: %w", err)
	}
	j, err := a.judgeOf(s)
	if err != nil {
		return c, err
	}
	return c, j.refuse(ctx, spec.Source{Name: file, Text: text})
}

// ensureStudy finds the study of a spec or creates it, and the data it was created with.
func (a *app) ensureStudy(ctx context.Context, db *storage.DB, s study.Spec, file string, f runFlags) (study.Study, dataset.Source, error) {
	st, err := db.Study(ctx, s.Name)
	if errors.Is(err, study.ErrNotFound) {
		return a.createStudy(ctx, db, s, f)
	}
	if err != nil {
		return st, nil, err
	}
	// First of all, so that a request that comes while the images are read is heard.
	if err := db.ClearWish(ctx, st.ID); err != nil {
		return st, nil, err
	}
	source, _, err := a.choose(ctx, []string{st.Data.Name}, st.Data.Size, f.offline)
	if err != nil {
		return st, nil, fmt.Errorf("study %s was created on %s: %w", st.Name, st.Data.Name, err)
	}
	if err := a.continues(st, s, file, f); err != nil {
		return st, nil, err
	}
	print, err := source.Fingerprint(st.Spec.Seed, st.Spec.Data.Train, st.Spec.Data.Validation)
	if err != nil {
		return st, nil, err
	}
	if print != st.Data.Fingerprint {
		return st, nil, fmt.Errorf("the images of %s are not those that study %s was created with (%.12s, now %.12s): point --data to those, or start another study with --name",
			st.Data.Name, st.Name, st.Data.Fingerprint, print)
	}
	from, err := a.startOf(ctx, db, st.Spec)
	if err != nil {
		return st, nil, err
	}
	if err := from.unchanged(st); err != nil {
		return st, nil, err
	}
	if f.set("trials") && f.trials > st.Spec.RunCap {
		if err := db.SetRunCap(ctx, st.ID, f.trials); err != nil {
			return st, nil, err
		}
		st.Spec.RunCap = f.trials
	}
	st.Spec.Workers, st.Spec.Devices = s.Workers, s.Devices // how many at once, and where, is no property of the study
	fmt.Fprintf(a.err, "continuing study %s on %s\n", st.Name, st.Data.Name)
	return st, source, nil
}

// continues checks that a sweep file still says what a study was created from.
func (a *app) continues(st study.Study, s study.Spec, file string, f runFlags) error {
	differ := spec.Diff(st.Spec, s)
	switch {
	case f.set("trials") && f.trials < st.Spec.RunCap:
		differ = append(differ, fmt.Sprintf("--trials %d is below the study's %d, and it can only be raised", f.trials, st.Spec.RunCap))
	// Both the number that the file had and the one that --trials made of it are the study's.
	case s.FileRunCap != st.Spec.RunCap && s.FileRunCap != st.Spec.FileRunCap:
		differ = append(differ, fmt.Sprintf("run_cap: %d in the study, %d in the file (--trials N raises it)", st.Spec.RunCap, s.FileRunCap))
	}
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("study %s exists and was created from another sweep than %s and the flags say:\n  %s\nrun it beside the old one with --name NAME, or delete that with `sweep rm %[4]s`",
		st.Name, file, strings.Join(differ, "\n  "), word(st.Name))
}

func (a *app) createStudy(ctx context.Context, db *storage.DB, s study.Spec, f runFlags) (study.Study, dataset.Source, error) {
	source, note, err := a.choose(ctx, s.Data.Names, s.Data.Size, f.offline)
	if err != nil {
		return study.Study{}, nil, err
	}
	train, validation, err := source.Split(s.Seed, s.Data.Train, s.Data.Validation)
	if err != nil {
		return study.Study{}, nil, err
	}
	from, err := a.startOf(ctx, db, s)
	if err != nil {
		return study.Study{}, nil, err
	}
	if from != nil {
		fit, err := from.fits(ctx, s, train, validation)
		if err != nil {
			return study.Study{}, nil, err
		}
		if fit != "" {
			note += "\n" + fit
		}
		s.InitDigest = from.digest
	}
	if err := trainer.Needs(s, source.Name(), train); err != nil {
		return study.Study{}, nil, err
	}
	print, err := source.Fingerprint(s.Seed, s.Data.Train, s.Data.Validation)
	if err != nil {
		return study.Study{}, nil, err
	}
	st, err := db.CreateStudy(ctx, s, dataOf(s, source, print), a.now())
	if err != nil {
		return st, nil, err
	}
	fmt.Fprintf(a.err, "%s\nstudy %s: run_cap %d, up to %d epochs a trial on %d images of %s, method %s\n",
		note, s.Name, s.RunCap, s.Epochs, s.Data.Train, source.Name(), s.Method)
	return st, source, nil
}

// dataOf is what a study keeps of its data set: enough to open it again.
func dataOf(s study.Spec, source dataset.Source, print string) study.Data {
	d := study.Data{Name: source.Name(), Fingerprint: print}
	if dataset.IsFolder(d.Name) {
		d.Size = s.Data.Size
	}
	return d
}

// assemble makes the runner and the pool of a study, and the crew that trains it, which the caller closes.
func (a *app) assemble(
	ctx context.Context, db *storage.DB, s study.Study, source dataset.Source, where choice, f runFlags,
) (*study.Runner, *trainer.Pool, *crew, *display, error) {
	smp, err := sampler.New(s.Spec)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	prn, err := pruner.New(s.Spec.Pruner)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	from, err := a.startOf(ctx, db, s.Spec)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	if err := from.unchanged(s); err != nil { // since a moment ago
		return nil, nil, nil, nil, err
	}
	configure, err := configurer(s, source, from)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, nil, nil, nil, fmt.Errorf("ask for this machine's name: %w", err)
	}
	j := newJudge(s.Spec, configure)
	crew, err := where.open(s.Spec, j)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	// Of cores alone nothing is asked, nor of GPUs alone: a trial that these lack a kernel for fails there, as nobody else
	// would ever take it.
	var needs func(study.Params) ([]string, error)
	if crew.mixed {
		needs = j.needs
	}
	if len(crew.gpus) > 0 {
		fmt.Fprintln(a.err, crew.note)
	}
	d := newDisplay(a, s, f.json)
	runner, err := study.NewRunner(ctx, study.RunnerConfig{
		Study: s, Store: db, Sampler: smp, Pruner: prn, Now: a.now, Finished: d.finished, Needs: needs,
	})
	if err != nil {
		crew.close()
		return nil, nil, nil, nil, err
	}
	pool := &trainer.Pool{
		Work: runner, Engines: crew.engines, Reserved: crew.reserved, Reopen: crew.reopen, Tell: d.tell,
		Host: host, Now: a.now, Configure: configure,
		Encode:      checkpoint.Encode,
		Decode:      checkpoint.Decode,
		EncodeModel: checkpoint.EncodeModel,
		Strip:       checkpoint.Strip,
	}
	return runner, pool, crew, d, nil
}

// configurer decodes grants of a study onto its data.
func configurer(s study.Study, source dataset.Source, from *start) (func(study.Grant) (trainer.Config, error), error) {
	train, validation, err := source.Split(s.Spec.Seed, s.Spec.Data.Train, s.Spec.Data.Validation)
	if err != nil {
		return nil, err
	}
	return configurerOf(s.Spec.Trainer, train, validation, from), nil
}

// configurerOf decodes grants of the trainer called name onto images, and onto what they start from, if that is not nil.
func configurerOf(name string, train, validation *dataset.Images, from *start) func(study.Grant) (trainer.Config, error) {
	return func(g study.Grant) (trainer.Config, error) {
		c, err := trainer.DecodeFor(name, g.Params)
		if err != nil {
			return c, err
		}
		c.Use(train, validation)
		c.Epochs, c.Seed, c.Replicate = g.Spec.Epochs, g.Spec.Seed, g.Replicate
		if from != nil {
			c.Start = from.weights
		}
		return c, c.Check()
	}
}

func closeEngines(list []trainer.Engine) {
	for _, e := range list {
		e.Close() //nolint:errcheck // a core has nothing to give back
	}
}
