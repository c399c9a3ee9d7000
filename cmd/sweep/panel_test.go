package main

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/cmd/web/server"
	"sweep/study"
	"sweep/trainer/device"
)

// grants is work that gives out trials by number.
type grants struct {
	study.Work
	next []int
}

func (g *grants) Claim(context.Context, study.Capacity) ([]study.Grant, error) {
	if len(g.next) == 0 {
		return nil, nil
	}
	n := g.next[0]
	g.next = g.next[1:]
	return []study.Grant{{Number: n}}, nil
}

// Trials are counted where they train, also after they have moved; spare cores without a trial and devices that are set
// aside are left out.
func TestPanel(t *testing.T) {
	nan := math.NaN()
	at := time.Unix(1000, 0)
	now := func() time.Time { return at }
	work := newRoster(&grants{next: []int{0, 1, 2}}, now)
	claim := func(id string) {
		t.Helper()
		if _, err := work.Claim(t.Context(), study.Capacity{Device: id, Slots: 1}); err != nil {
			t.Fatal(err)
		}
	}
	running := []study.Trial{}
	train := func(number int, rate float64) {
		tr := study.Trial{Number: number}
		if !math.IsNaN(rate) {
			tr.Metrics = map[string]float64{"images_per_s": rate}
		}
		running = append(running, tr)
	}
	g := &gauge{gpus: []device.Info{{ID: "cuda:0", Memory: 80e9}, {ID: "cuda:1"}}, now: now, telemetry: &scripted{readings: map[string]device.Reading{
		"cuda:0": {Utilisation: 97, Used: 41.2e9, Power: nan, Temperature: 58},
	}}}
	list := watch([]member{
		{Device: server.Device{ID: "cuda:0", Kind: "H100, fp32", Slots: 3}},
		{Device: server.Device{ID: "cuda:1", Slots: 3}},
		{Device: server.Device{ID: "cpu:0", Kind: "AVX2", Slots: 1}, spare: true},
	}, work, func() []study.Trial { return running }, g)
	first := func(busy int, rate float64) server.Device {
		return server.Device{ID: "cuda:0", Kind: "H100, fp32", Slots: 3, Busy: busy, Rate: rate, Utilisation: 97, Used: 41.2e9, Memory: 80e9, Power: nan, Temperature: 58}
	}
	silent := func(d server.Device) server.Device {
		d.Utilisation, d.Used, d.Power, d.Temperature = nan, nan, nan, nan
		return d
	}
	check := func(when string, want ...server.Device) {
		t.Helper()
		if d := cmp.Diff(want, list(), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	check("before the first claim", first(0, nan), silent(server.Device{ID: "cuda:1", Slots: 3, Rate: nan}))

	claim("cuda:0")
	claim("cuda:0")
	claim("cpu:0")
	claim("cuda:1") // in vain
	train(0, 1000)
	train(1, nan)
	train(2, 50)
	train(9, 7) // of nobody here
	check("three trials", first(2, 1000), silent(server.Device{ID: "cuda:1", Slots: 3, Rate: nan}), silent(server.Device{ID: "cpu:0", Kind: "AVX2", Slots: 1, Busy: 1, Rate: 50}))

	at = at.Add(panelQuiet + time.Second)
	check("cuda:1 asks for nothing", first(2, 1000), silent(server.Device{ID: "cpu:0", Kind: "AVX2", Slots: 1, Busy: 1, Rate: 50}))

	work.Work.(*grants).next = []int{2}
	claim("cuda:0")
	check("a trial has moved", first(3, 1050))

	var p panel
	if got := p.devices(1); got != nil {
		t.Errorf("before it is shown: %v", got)
	}
	p.show(1, list)
	if len(p.devices(1)) != 1 || p.devices(2) != nil {
		t.Errorf("study 1 has %v, study 2 %v", p.devices(1), p.devices(2))
	}
	if p.hide(); p.devices(1) != nil {
		t.Error("it shows devices after the end")
	}
}
