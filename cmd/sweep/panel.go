package main

import (
	"context"
	"math"
	"sync"
	"time"

	"sweep/cmd/web/server"
	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/device"
)

// panelQuiet is how long a device may neither train nor ask for work before it is taken for one that is set aside: one
// that is free asks several times a second.
const panelQuiet = 30 * time.Second

// roster is the work of a running sweep that notes which device took which trial, for displays.
type roster struct {
	study.Work
	now func() time.Time

	mu    sync.Mutex
	taken map[int]string       // the device of each trial that was granted, by the trial's number
	asked map[string]time.Time // when a device last asked for work
}

func newRoster(w study.Work, now func() time.Time) *roster {
	return &roster{Work: w, now: now, taken: map[int]string{}, asked: map[string]time.Time{}}
}

// Claim implements [study.Work].
func (r *roster) Claim(ctx context.Context, c study.Capacity) ([]study.Grant, error) {
	grants, err := r.Work.Claim(ctx, c)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[c.Device] = r.now()
	for _, g := range grants {
		r.taken[g.Number] = c.Device
	}
	return grants, err
}

// load is what a device does now.
type load struct {
	trials int
	rate   float64 // images a second of all of them, NaN before the first says
	asked  time.Time
}

// loads parts the running trials among their devices. It knows every device that has ever asked for work.
func (r *roster) loads(running []study.Trial) map[string]load {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]load, len(r.asked))
	for id, t := range r.asked {
		out[id] = load{asked: t, rate: math.NaN()}
	}
	for _, t := range running {
		id, ok := r.taken[t.Number]
		if !ok {
			continue
		}
		l := out[id]
		l.trials++
		if v, ok := t.Metrics["images_per_s"]; ok && !math.IsNaN(v) {
			if math.IsNaN(l.rate) {
				l.rate = 0
			}
			l.rate += v
		}
		out[id] = l
	}
	return out
}

// panel tells the web UI which devices train a study while this process trains it. It is empty before and after.
type panel struct {
	mu      sync.Mutex
	studyID int64
	list    func() []server.Device
}

// show begins to tell.
func (p *panel) show(studyID int64, list func() []server.Device) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.studyID, p.list = studyID, list
}

// hide ends it.
func (p *panel) hide() { p.show(0, nil) }

// devices is what trains the study now.
func (p *panel) devices(studyID int64) []server.Device {
	p.mu.Lock()
	list, same := p.list, p.studyID == studyID
	p.mu.Unlock()
	if list == nil || !same {
		return nil
	}
	return list()
}

// member is a device of a crew.
type member struct {
	server.Device
	spare bool // it takes only what others cannot train
}

// members are the devices of a crew, GPUs first.
func (c *crew) members() []member {
	var out []member
	add := func(list []trainer.Engine, spare bool) {
		for _, e := range list {
			kind := ""
			if h, ok := e.(trainer.Hardware); ok {
				kind = h.Hardware()
			}
			out = append(out, member{server.Device{ID: e.Device(), Kind: kind, Slots: e.Slots()}, spare})
		}
	}
	add(c.engines, false)
	add(c.reserved, true)
	return out
}

// watch lists devices as they are at the moment it is called. Left out are spare ones without a trial, and those that
// are set aside.
func watch(list []member, r *roster, running func() []study.Trial, g *gauge) func() []server.Device {
	return func() []server.Device {
		loads := r.loads(running())
		var readings map[string]device.Reading
		if g != nil {
			readings = g.readings()
		}
		now := r.now()
		var out []server.Device
		for _, d := range list {
			l, known := loads[d.ID]
			if l.trials == 0 && (d.spare || known && now.Sub(l.asked) > panelQuiet) {
				continue
			}
			d.Busy, d.Rate = l.trials, l.rate
			if !known {
				d.Rate = math.NaN()
			}
			d.Utilisation, d.Used, d.Power, d.Temperature = math.NaN(), math.NaN(), math.NaN(), math.NaN()
			if m, ok := readings[d.ID]; ok {
				d.Utilisation, d.Used, d.Power, d.Temperature = m.Utilisation, m.Used, m.Power, m.Temperature
				d.Memory = float64(g.memory(d.ID))
			}
			out = append(out, d.Device)
		}
		return out
	}
}
