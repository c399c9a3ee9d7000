package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"sweep/study"
)

// display shows a sweep while it runs: on a terminal a line for each running trial with bar, epoch, images/s and value,
// and below them the study; elsewhere a line for each finished trial.
type display struct {
	study    study.Study
	out      io.Writer
	now      func() time.Time
	terminal bool
	begun    time.Time
	devices  func() string // what GPUs say of themselves now; nil: there are none

	mu   sync.Mutex
	bars *mpb.Progress // nil when there is no terminal
	best *study.Trial
	over int // trials that this run finished
}

const refresh = 250 * time.Millisecond

// mostBars is how many running trials have a line of their own: a GPU trains more at once than a terminal has lines.
const mostBars = 12

func newDisplay(a *app, s study.Study, asJSON bool) *display {
	_, tty := terminal(a.err)
	return &display{study: s, out: a.err, now: a.now, terminal: tty && !asJSON}
}

func (d *display) isTerminal() bool { return d.terminal }

// finished tells of a trial that is over.
func (d *display) finished(t study.Trial) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over++
	mark := ""
	objective := d.study.Spec.Objective
	if t.State == study.Complete && (d.best == nil || objective.Direction.Better(t.Value, d.best.Value)) {
		d.best, mark = &t, "  ← best so far"
	}
	line := fmt.Sprintf("#%-3d %-8s %s %-9s %s  %s%s\n", t.Number, t.State, objective.Name, number(t.Value),
		inline(d.study.Spec.Space, t.Params), duration(t.Duration), mark)
	if t.State == study.Failed {
		first, _, _ := strings.Cut(t.Message, "\n")
		line = fmt.Sprintf("#%-3d failed (%s): %s\n", t.Number, t.Reason, first)
	}
	if d.bars != nil {
		d.bars.Write([]byte(line)) //nolint:errcheck // a display that is gone shows nothing
		return
	}
	io.WriteString(d.out, line) //nolint:errcheck // as above
}

// tell shows a line that users must know.
func (d *display) tell(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	line += "\n"
	if d.bars != nil {
		d.bars.Write([]byte(line)) //nolint:errcheck // a display that is gone shows nothing
		return
	}
	io.WriteString(d.out, line) //nolint:errcheck // as above
}

// during runs work and shows it.
func (d *display) during(ctx context.Context, r *study.Runner, work func() error) error {
	d.mu.Lock()
	d.begun, d.best = d.now(), r.Progress().Best
	d.mu.Unlock()
	if !d.terminal {
		return work()
	}
	bars := mpb.New(mpb.WithOutput(d.out), mpb.WithWidth(28), mpb.WithRefreshRate(refresh))
	d.mu.Lock()
	d.bars = bars
	d.mu.Unlock()

	done := make(chan struct{})
	var shown sync.WaitGroup
	shown.Go(func() { d.refresh(ctx, bars, r, done) })
	err := work()
	close(done)
	shown.Wait()
	d.mu.Lock()
	d.bars = nil
	d.mu.Unlock()
	bars.Wait() // draws once more, without the bars that are gone
	return err
}

// live is a bar and the trial that it shows.
type live struct {
	bar  *mpb.Bar
	text *label
}

// label is a text that the progress library reads while we write it.
type label struct {
	mu   sync.Mutex
	text string
}

func (l *label) set(s string) {
	l.mu.Lock()
	l.text = s
	l.mu.Unlock()
}

func (l *label) decorator(wc ...decor.WC) decor.Decorator {
	return decor.Any(func(decor.Statistics) string {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.text
	}, wc...)
}

func (d *display) refresh(ctx context.Context, bars *mpb.Progress, r *study.Runner, done <-chan struct{}) {
	const last = 1 << 30 // below every trial
	style := mpb.BarStyle().Lbound("").Filler("━").Tip("━").Padding("─").Rbound("")
	name := decor.WC{W: max(len(d.study.Name), 4) + 1, C: decor.DindentRight}
	total := &label{}
	foot := bars.New(int64(d.study.Spec.RunCap), style, mpb.BarPriority(last), mpb.PrependDecorators(decor.Name(d.study.Name, name)), mpb.AppendDecorators(total.decorator()))
	running := map[int]live{}
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		p := r.Progress()
		seen := map[int]bool{}
		for _, t := range p.Running[:min(len(p.Running), mostBars)] {
			seen[t.Number] = true
			l, ok := running[t.Number]
			if !ok {
				l.text = &label{}
				l.bar = bars.New(int64(d.study.Spec.Epochs), style, mpb.BarPriority(t.Number),
					mpb.PrependDecorators(decor.Name(fmt.Sprintf("#%d", t.Number), name)), mpb.AppendDecorators(l.text.decorator()))
				running[t.Number] = l
			}
			epoch := 0
			if n := len(t.Curve); n > 0 {
				epoch = t.Curve[n-1].Step
			}
			l.bar.SetCurrent(int64(min(epoch, d.study.Spec.Epochs-1))) // a full bar would complete and freeze
			l.text.set(d.trialText(t, epoch))
		}
		for n, l := range running {
			if !seen[n] {
				l.bar.Abort(true)
				delete(running, n)
			}
		}
		over := p.Counts[study.Complete] + p.Counts[study.Pruned] + p.Counts[study.Failed]
		foot.SetCurrent(int64(min(over, d.study.Spec.RunCap-1)))
		total.set(d.studyText(p, over, ctx.Err() != nil))
		select {
		case <-done:
			for _, l := range running {
				l.bar.Abort(true)
			}
			foot.Abort(true)
			return
		case <-tick.C:
		}
	}
}

func (d *display) trialText(t study.Trial, epoch int) string {
	s := fmt.Sprintf(" %d/%d", epoch, d.study.Spec.Epochs)
	if v, ok := t.Metrics["images_per_s"]; ok {
		s += fmt.Sprintf("  %.0f img/s", v)
	}
	if n := len(t.Curve); n > 0 {
		s += fmt.Sprintf("  %s %s", d.study.Spec.Objective.Name, number(t.Curve[n-1].Value))
	}
	return s
}

func (d *display) studyText(p study.Progress, over int, draining bool) string {
	s := fmt.Sprintf(" %d/%d", over, d.study.Spec.RunCap)
	if p.Best != nil {
		s += fmt.Sprintf("  best %s (#%d)", number(p.Best.Value), p.Best.Number)
	}
	s += fmt.Sprintf("  %d pruned  %d failed", p.Counts[study.Pruned], p.Counts[study.Failed])
	if n := len(p.Running); n > mostBars {
		s += fmt.Sprintf("  %d at once", n)
	}
	if d.devices != nil {
		s += d.devices()
	}
	switch {
	case draining:
		return s + "  saving every trial …"
	case p.Wish == study.Pause:
		return s + "  paused"
	}
	if eta, ok := d.eta(p, over); ok {
		s += "  " + duration(eta.Round(time.Second)) + " left"
	}
	return s
}

// eta extrapolates this run: what is left at the pace so far, with half-trained trials counted by their epochs.
func (d *display) eta(p study.Progress, over int) (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	partly := 0.0
	for _, t := range p.Running {
		if n := len(t.Curve); n > 0 {
			partly += float64(t.Curve[n-1].Step) / float64(d.study.Spec.Epochs)
		}
	}
	if d.over == 0 {
		return 0, false // too early: a first trial that is pruned would make it a tenth
	}
	done := float64(d.over) + partly
	left := float64(d.study.Spec.RunCap-over) - partly
	return time.Duration(float64(d.now().Sub(d.begun)) * left / done), left > 0
}
