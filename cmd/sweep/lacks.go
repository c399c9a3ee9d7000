package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sweep/study"
	"sweep/study/sampler"
	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/gpu"
)

// judge tells which steps of a study's configurations have no kernel for a GPU.
type judge struct {
	spec      study.Spec
	configure func(study.Grant) (trainer.Config, error)

	mu    sync.Mutex
	known map[string][]string // by what a network's steps depend on
}

func newJudge(s study.Spec, configure func(study.Grant) (trainer.Config, error)) *judge {
	return &judge{spec: s, configure: configure, known: map[string][]string{}}
}

// judgeOf judges a sweep before its images are there, by generated ones of their shape.
func (a *app) judgeOf(s study.Spec) (*judge, error) {
	train, validation, err := a.stand(s, 32, 16)
	if err != nil {
		return nil, err
	}
	return newJudge(s, configurerOf(s.Trainer, train, validation, nil)), nil
}

// stand is the generated set in the place of a sweep's own, in the shape of its images.
func (a *app) stand(s study.Spec, n, m int) (train, validation *dataset.Images, err error) {
	source, err := dataset.Open("shapes", "")
	if err != nil {
		return nil, nil, err
	}
	if train, validation, err = source.Split(s.Seed, n, m); err != nil {
		return nil, nil, err
	}
	if h, w, c := a.shape(s.Data); h != train.Height || w != train.Width || c != train.Channels {
		train, validation = train.Resized(h, w, c), validation.Resized(h, w, c)
	}
	return train, validation, nil
}

// needs are the kinds of step of a configuration that GPUs lack. The error is that of one that nothing can train.
func (j *judge) needs(p study.Params) ([]string, error) {
	c, err := j.configure(study.Grant{Spec: j.spec, Params: p})
	if err != nil {
		return nil, err
	}
	m := c.Config
	m.Latent = min(m.Latent, 16) // its steps are the same whatever the code's width
	key := fmt.Sprintf("%+v", m)
	j.mu.Lock()
	defer j.mu.Unlock()
	if list, ok := j.known[key]; ok {
		return list, nil
	}
	list, err := gpu.Lacks(m)
	if err != nil {
		return nil, err
	}
	slices.Sort(list)
	j.known[key] = list
	return list, nil
}

// lacking is a value of a parameter for which GPUs lack a kernel.
type lacking struct {
	Parameter string   `json:"parameter"`
	Value     any      `json:"value"`
	Steps     []string `json:"steps"`
}

func (l lacking) String() string {
	return fmt.Sprintf("%s %s (there is no GPU kernel for %s)", l.Parameter, study.FormatValue(l.Value), strings.Join(l.Steps, ", "))
}

// lacks lists the values of a space that a GPU cannot train. Each is tried with all other parameters at their defaults,
// but for one that it needs beside it; a trainer whose defaults need a kernel that is lacking is listed itself.
func (j *judge) lacks() []lacking {
	plain, err := j.needs(study.Params{})
	if err != nil {
		plain = nil
	}
	if len(plain) > 0 {
		return []lacking{{"trainer", j.spec.Trainer, plain}}
	}
	var out []lacking
	for _, d := range j.spec.Space {
		for _, v := range ends(d.Distribution) {
			p := study.Params{d.Name: v}
			if decl, ok := catalogueOf(j.spec.Trainer).Param(d.Name); ok && decl.With != "" && len(decl.WithWords) > 0 {
				p[decl.With] = decl.WithWords[0]
			}
			missing, err := j.needs(p)
			if err != nil || len(missing) == 0 {
				continue
			}
			// Those of the parameter beside it are that one's own.
			delete(p, d.Name)
			beside, err := j.needs(p)
			if err == nil {
				missing = slices.DeleteFunc(slices.Clone(missing), func(k string) bool { return slices.Contains(beside, k) })
			}
			if len(missing) > 0 {
				out = append(out, lacking{d.Name, v, missing})
			}
		}
	}
	return out
}

// ends are the values of a distribution that its steps may depend on.
func ends(d study.Distribution) []any {
	switch {
	case d.Kind == study.Categorical:
		return d.Choices
	case d.Kind == study.Int:
		return []any{int64(d.Low), int64(d.High)}
	}
	return []any{d.Low, d.High}
}

// judged is how many configurations are drawn to see which part of a sweep GPUs cannot train.
const judged = 200

// share is the part of configurations, drawn at random, that a GPU cannot train.
func (j *judge) share(ctx context.Context) (float64, error) {
	random := j.spec
	random.Method = "random"
	smp, err := sampler.New(random)
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range judged {
		p, err := smp.Sample(ctx, study.Ask{Number: i, Seed: j.spec.Seed, Space: j.spec.Space, Objective: j.spec.Objective})
		if err != nil {
			return 0, err
		}
		if missing, err := j.needs(p); err == nil && len(missing) > 0 {
			n++
		}
	}
	return float64(n) / judged, nil
}

// refuse is the error of a sweep that is to be trained on GPUs alone and could come to what they cannot train; nil for any
// other.
func (j *judge) refuse(ctx context.Context, source spec.Source) error {
	for _, l := range j.lacks() {
		return spec.At(source, l.Parameter, l.Value,
			"%s %s needs a CPU core, there is no GPU kernel for %s: leave it out, or give the sweep cores too, as in --devices cuda,cpu",
			l.Parameter, study.FormatValue(l.Value), strings.Join(l.Steps, ", "))
	}
	share, err := j.share(ctx)
	if err == nil && share > 0 {
		err = spec.At(source, "", nil,
			"%.0f%% of the configurations need a CPU core, since there is no GPU kernel for some of their steps: give the sweep cores too, as in --devices cuda,cpu",
			100*share)
	}
	return err
}

// largest is a configuration of the space that needs about as much of a GPU's memory as any. Each parameter is set to the
// end of its range, or the choice, that needs most while the others stay, twice round.
func (j *judge) largest(precision string) (trainer.Config, int64, error) {
	p := study.Params{}
	for _, d := range j.spec.Space {
		p[d.Name] = ends(d.Distribution)[0]
	}
	var most int64
	var best trainer.Config
	need := func() (int64, trainer.Config, error) {
		c, err := j.configure(study.Grant{Spec: j.spec, Params: p})
		if err != nil {
			return 0, c, err
		}
		if c.Patience == 0 && c.Epochs == 0 {
			c.Epochs = 1
		}
		n, err := gpu.Need(c, precision)
		return n, c, err
	}
	var failure error
	most, best, failure = need()
	for range 2 {
		for _, d := range j.spec.Space {
			if d.Distribution.Kind == study.Float || d.Distribution.Single() {
				continue // rates and weights take no memory
			}
			at := p[d.Name]
			for _, v := range ends(d.Distribution) {
				p[d.Name] = v
				if n, c, err := need(); err == nil && n > most {
					most, best, at, failure = n, c, v, nil
				}
			}
			p[d.Name] = at
		}
	}
	return best, most, failure
}
