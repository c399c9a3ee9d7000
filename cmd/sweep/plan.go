package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sweep/study"
	"sweep/study/sampler"
	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
)

// planView is what `sweep plan --json` prints.
type planView struct {
	Name           string         `json:"name"`
	Method         string         `json:"method"`
	Trials         int            `json:"trials"`
	Epochs         int            `json:"epochs"`
	Space          study.Space    `json:"space"`
	Configurations *study.Number  `json:"configurations"` // null: a continuous range, no end of them
	Data           study.DataSpec `json:"data"`
	Warnings       []string       `json:"warnings"`
	Workers        int            `json:"workers"` // trials at once on the devices that a run would use
	// The rate is measured on this machine on a few configurations; the times assume no trial stops early. They are those
	// of so many cores, also where a run would use GPUs.
	Cores      int     `json:"cores"`
	ImagesPerS float64 `json:"images_per_s"` // one core
	TrialS     float64 `json:"trial_s"`
	SweepS     float64 `json:"sweep_s"`
	// What a GPU has no kernels for is trained on a core: these values, and about this part of the configurations.
	NeedsCore []lacking `json:"needs_core"`
	CoreShare float64   `json:"core_share"`
	// GPUs are those that a run would train on here.
	GPUs []string `json:"gpus"`
}

func (a *app) planVerb() *cobra.Command {
	var asJSON bool
	var f runFlags
	c := &cobra.Command{
		Use: "plan SPEC", Short: "Dry run: space, number of configurations, warnings, cost; nothing is written", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f.set = c.Flags().Changed
			s, warnings, err := a.readSpec(args[0], f)
			if err != nil {
				return err
			}
			p, err := a.plan(c.Context(), s)
			if err != nil {
				return err
			}
			p.Warnings = append(p.Warnings, warnings...)
			if asJSON {
				return printJSON(a.out, p)
			}
			a.showPlan(p)
			return nil
		},
	}
	f.whereFlags(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// The estimate trains a few configurations for a moment each.
const (
	planSamples  = 3
	planMoment   = 700 * time.Millisecond
	planTrain    = 1024 // images of the generated set, whatever the sweep trains on: the arithmetic is the same
	planSmallest = 256
)

func (a *app) plan(ctx context.Context, s study.Spec) (planView, error) {
	p := planView{Name: s.Name, Method: s.Method, Trials: s.RunCap, Epochs: s.Epochs, Space: s.Space, Data: s.Data, Warnings: []string{}}
	if n := study.Number(s.Space.Cardinality()); !math.IsInf(float64(n), 0) {
		p.Configurations = &n
	}
	core := cpu.New("cpu:0", kernel.Best())
	defer core.Close() //nolint:errcheck // a core has nothing to give back
	seconds, err := a.secondsPerImage(ctx, s, core)
	if err != nil {
		return p, err
	}
	if err := a.planDevices(ctx, s, &p); err != nil {
		return p, err
	}
	p.ImagesPerS = 1 / seconds
	// A validated image is one of three passes: forward, without the two of the gradient.
	images := float64(s.Data.Train) + float64(s.Data.Validation)/3
	p.TrialS = images * seconds * float64(s.Epochs)
	p.SweepS = p.TrialS * math.Ceil(float64(s.RunCap)/float64(p.Cores))
	return p, nil
}

// planDevices says which devices a run would use, how many trials at once that is, and what it would leave to cores.
func (a *app) planDevices(ctx context.Context, s study.Spec, p *planView) error {
	m := here(s.Devices)
	c, err := m.choose(s.Devices)
	if err != nil {
		p.refused(err)
		c = choice{cores: coreNames(m.cores)}
	} else {
		p.Warnings = append(p.Warnings, c.notes(s)...)
	}
	alone := len(c.gpus) > 0 && len(c.cores) == 0
	j, err := a.judgeOf(s)
	if err != nil {
		return err
	}
	gpus, room, err := c.openGPUs(s, j)
	if err != nil {
		p.refused(err)
		c = choice{cores: coreNames(m.cores)}
	}
	closeGPUs(gpus)
	p.NeedsCore, p.GPUs = []lacking{}, []string{}
	for _, g := range c.gpus {
		p.GPUs = append(p.GPUs, g.ID+" ("+g.Name+")")
	}
	slots, shared := c.share(s.Workers, room)
	for _, n := range slots {
		p.Workers += n
	}
	if !shared.spare {
		p.Workers += len(shared.cores)
	}
	if len(c.gpus) > 0 {
		_, shared = choice{cores: coreNames(m.cores)}.share(s.Workers, nil)
	}
	p.Cores = min(len(shared.cores), m.cores) // more trials than cores are no faster
	p.NeedsCore = append(p.NeedsCore, j.lacks()...)
	if p.CoreShare, err = j.share(ctx); err != nil {
		return err
	}
	if alone && p.CoreShare > 0 {
		p.Warnings = append(p.Warnings, "devices names GPUs alone: `sweep run` will refuse this sweep, give it cores too")
	}
	return nil
}

// refused says that a run would end with an error of its devices.
func (p *planView) refused(err error) {
	p.Warnings = append(p.Warnings, fmt.Sprintf("devices: `sweep run` will refuse this sweep here: %v", err))
}

// secondsPerImage is the mean time of a training image over configurations drawn at random.
func (a *app) secondsPerImage(ctx context.Context, s study.Spec, e trainer.Engine) (float64, error) {
	random := s
	random.Method = "random"
	smp, err := sampler.New(random)
	if err != nil {
		return 0, err
	}
	train, validation, err := a.stand(s, planTrain, planSmallest)
	if err != nil {
		return 0, err
	}
	configure := configurerOf(s.Trainer, train, validation, nil)
	total := 0.0
	for i := range planSamples {
		params, err := smp.Sample(ctx, study.Ask{Number: i, Seed: s.Seed, Space: s.Space, Objective: s.Objective})
		if err != nil {
			return 0, err
		}
		c, err := configure(study.Grant{Spec: s, Params: params})
		if err != nil {
			return 0, fmt.Errorf("trial %d would fail: %w", i, err)
		}
		t, err := moment(ctx, e, c, a.now)
		if err != nil {
			return 0, fmt.Errorf("trial %d would fail: %w", i, err)
		}
		total += t
	}
	return total / planSamples, nil
}

// moment trains c for a moment and returns the seconds a training image took.
func moment(ctx context.Context, e trainer.Engine, c trainer.Config, now func() time.Time) (float64, error) {
	if err := e.Load(0, c, nil); err != nil {
		return 0, err
	}
	defer e.Clear(0)
	if _, err := e.Advance(ctx, 1); err != nil { // the first step also warms the caches
		return 0, err
	}
	begin := now()
	for images := 0; ; {
		reports, err := e.Advance(ctx, 1)
		if err != nil {
			return 0, err
		}
		if len(reports) > 0 { // the epoch is over, its validation too
			return reports[0].TrainTime.Seconds() / float64(reports[0].Train.Images), reports[0].Err
		}
		images += c.Batch
		if d := now().Sub(begin); d > planMoment && images < planTrain-c.Batch {
			return d.Seconds() / float64(images), nil
		}
	}
}

func (a *app) showPlan(p planView) {
	fmt.Fprintf(a.out, "%s: %d trials of up to %d epochs, method %s\n\n", p.Name, p.Trials, p.Epochs, p.Method)
	var rows [][]string
	for _, d := range p.Space {
		rows = append(rows, []string{"  " + d.Name, spec.Describe(d.Distribution)})
	}
	table(a.out, []string{"  PARAMETER", "VALUES"}, nil, rows)
	configurations := "no end of them, a range is continuous"
	if p.Configurations != nil {
		configurations = fmt.Sprintf("%.0f", *p.Configurations)
	}
	fmt.Fprintf(a.out, "\nconfigurations: %s\n", configurations)
	fmt.Fprintf(a.out, "data: %s; %d images to train on, %d to validate\n", a.planData(p.Data.Names), p.Data.Train, p.Data.Validation)
	fmt.Fprintf(a.out, "cost: about %s a trial, %s in all on %s (%.0f training images/s each, measured now; early stopping makes it less)\n",
		duration(seconds(p.TrialS)), duration(seconds(p.SweepS)), plural(p.Cores, "core", ""), p.ImagesPerS)
	devices, note := plural(p.Cores, "core", ""), ""
	if len(p.GPUs) > 0 {
		devices, note = strings.Join(p.GPUs, ", "), "; the cost is that of cores, the GPU path is not yet measured on hardware"
	}
	fmt.Fprintf(a.out, "devices: %s, %s%s\n", devices, plural(p.Workers, "trial", "at once"), note)
	if p.CoreShare > 0 {
		why := make([]string, len(p.NeedsCore))
		for i, l := range p.NeedsCore {
			why[i] = l.String()
		}
		fmt.Fprintf(a.out, "on a GPU: about %.0f%% of the configurations go to a CPU core: %s\n", 100*p.CoreShare, strings.Join(why, ", "))
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(a.out, "warning: %s\n", w)
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// shape is what an image of the data set is that a run would take: of the first one that is there, else of the first.
func (a *app) shape(d study.DataSpec) (height, width, channels int) {
	first := d.Names[0]
	for _, name := range d.Names {
		if _, err := dataset.Open(name, a.data); err == nil {
			first = name
			break
		}
	}
	return dataset.Shape(first, a.data, d.Size)
}

// planData says which data set a run would take.
func (a *app) planData(names []string) string {
	var before []string
	for _, name := range names {
		_, err := dataset.Open(name, a.data)
		var file *dataset.FileError
		switch {
		case errors.Is(err, fs.ErrNotExist) && dataset.IsFolder(name):
			before = append(before, name+" once it is there")
		case err == nil:
			return strings.Join(append(before, name), ", else ")
		case errors.As(err, &file) && errors.Is(err, fs.ErrNotExist):
			before = append(before, fmt.Sprintf("%s if it can be fetched into %s", name, a.data))
		default:
			return fmt.Sprintf("%s is damaged (%v)", name, err)
		}
	}
	return strings.Join(before, ", else ")
}
