// Command profile prints where the time of one optimiser step of the reference network goes: each step of the plan, with
// its share of the time, its speed, and its share of what a loop of multiply-adds reaches in the same run.
//
//	go run ./bench/profile
//
// Each step of the plan runs as a plan of its own over the same memory, in the plan's order, so that every step finds the
// caches as it does in training; training itself has no clock in it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "profile:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	batch := flag.Int64("batch", 64, "images in an optimiser step")
	latent := flag.Int64("latent", 128, "numbers in the bottleneck")
	loss := flag.String("loss", "mse", "mse, mae or mse+ssim")
	norm := flag.String("norm", "none", "normalisation after each convolution: none, batch or layer")
	name := flag.String("kernels", kernel.Best().Name(), "kernels: ref, portable, avx2")
	seconds := flag.Float64("seconds", 5, "how long to measure")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	k, err := kernel.New(*name)
	if err != nil {
		return err
	}
	c, err := trainer.Decode(study.Params{"batch": *batch, "latent": *latent, "loss": *loss, "norm": *norm})
	if err != nil {
		return err
	}
	const images = 2048
	source, err := dataset.Open("shapes", "")
	if err != nil {
		return err
	}
	if c.Train, c.Validation, err = source.Split(1, images, 1); err != nil {
		return err
	}
	c.Channels, c.Height, c.Width, c.Seed = c.Train.Channels, c.Train.Height, c.Train.Width, 1
	t, err := newTimer(c, k)
	if err != nil {
		return err
	}
	if err := t.measure(ctx, time.Duration(*seconds*float64(time.Second))); err != nil {
		return err
	}
	t.print(os.Stdout)
	return nil
}

// timer runs a training step piece by piece.
type timer struct {
	c       trainer.Config
	k       kernel.Kernels
	program *plan.Program
	pieces  []*plan.Exec
	names   []string

	w, g, m, v []float32
	step       int64

	times [][]time.Duration // by piece, then by training step
	roof  []float64         // GFLOP/s
}

func newTimer(c trainer.Config, k kernel.Kernels) (*timer, error) {
	net, err := model.Build(c.Config, c.Batch)
	if err != nil {
		return nil, err
	}
	p, err := plan.Training(net)
	if err != nil {
		return nil, err
	}
	t := &timer{c: c, k: k, program: p}
	var arena plan.Arena
	for i, line := range slices.Collect(strings.Lines(p.String()))[1:] {
		one := *p
		one.Steps = p.Steps[i : i+1]
		t.pieces = append(t.pieces, plan.NewExec(&one, k, &arena))
		t.names = append(t.names, title(p, i, line))
	}
	t.names = append(t.names, "norm of the gradient", c.Optimizer)
	l := p.Layout
	t.w, t.g, t.m, t.v = l.NewBlock(), l.NewBlock(), l.NewBlock(), l.NewBlock()
	for i, w := range model.Init(c.Config, c.Seed, 1) {
		copy(l.Of(t.w, i), w)
	}
	t.times = make([][]time.Duration, len(t.names))
	return t, nil
}

// title names step i: its kind as the plan lists it, and its weights or what it writes.
func title(p *plan.Program, i int, line string) string {
	s := p.Steps[i]
	head := strings.TrimSpace(line[:min(len(line), 26)])
	if _, rest, ok := strings.Cut(head, " "); ok { // the step's number
		head = strings.TrimSpace(rest)
	}
	switch {
	case s.W != plan.None:
		return head + ", " + strings.TrimSuffix(p.Layout.Weights[s.W].Name, ".weight")
	case s.Dst != plan.None:
		return head + ", " + p.Values[s.Dst].Name
	}
	return head
}

// measure trains for d, after some steps that are not counted.
func (t *timer) measure(ctx context.Context, d time.Duration) error {
	const warm = 20
	order := study.Stream(1, 1, study.ForShuffle, 1)
	index := make([]int, t.c.Batch)
	var begin time.Time
	for n := 0; ctx.Err() == nil; n++ {
		if n == warm {
			begin = time.Now()
		}
		if n > warm && time.Since(begin) > d {
			break
		}
		for i := range index {
			index[i] = order.IntN(t.c.Train.Len())
		}
		if err := t.train(index, n >= warm); err != nil {
			return err
		}
		if n >= warm && n%8 == 0 {
			at := time.Now()
			if flop := kernel.Roof(1 << 16); flop > 0 {
				t.roof = append(t.roof, float64(flop)/time.Since(at).Seconds()/1e9)
			}
		}
	}
	return ctx.Err()
}

// train makes one step; counted ones are kept.
func (t *timer) train(index []int, counted bool) error {
	t.step++
	b := plan.Batch{Pixels: t.c.Train.Pixels, Labels: t.c.Train.Labels, Images: index, Seed: 1, Replicate: 1, Epoch: 1, Step: t.step}
	at := time.Now()
	piece := 0
	lap := func() {
		now := time.Now()
		if counted {
			t.times[piece] = append(t.times[piece], now.Sub(at))
		}
		at, piece = now, piece+1
	}
	for _, e := range t.pieces {
		if _, err := e.Run(t.w, t.g, b); err != nil {
			return err
		}
		lap()
	}
	trained := t.program.Layout.Trained
	t.k.SumSquares(t.g[:trained])
	lap()
	t.k.Adam(t.w[:trained], t.g[:trained], t.m[:trained], t.v[:trained], kernel.DefaultAdam(1e-3, t.step))
	lap()
	return nil
}
