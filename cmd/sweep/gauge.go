package main

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"sweep/trainer/device"
)

// gaugeEvery is how often GPUs are asked what they do: a question takes milliseconds.
const gaugeEvery = 2 * time.Second

// gauge says what GPUs do now, in figures and in a few words. It may be asked by several goroutines at once.
type gauge struct {
	gpus      []device.Info
	telemetry device.Telemetry
	now       func() time.Time

	mu   sync.Mutex
	read time.Time
	last map[string]device.Reading
}

// readings are the GPUs that say something, by ID. They are of now, or of a moment ago.
func (g *gauge) readings() map[string]device.Reading {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if !g.read.IsZero() && now.Sub(g.read) < gaugeEvery {
		return g.last
	}
	g.read, g.last = now, map[string]device.Reading{} // another map: callers may still read that of before
	for _, info := range g.gpus {
		if r, ok := g.telemetry.Read(info); ok {
			g.last[info.ID] = r
		}
	}
	return g.last
}

// memory is all that a GPU has, in bytes; 0 for none of these.
func (g *gauge) memory(id string) int64 {
	for _, info := range g.gpus {
		if info.ID == id {
			return info.Memory
		}
	}
	return 0
}

// String is "  cuda:0 97 % 41.2 GB 312 W 58 °C" for each GPU that says something, else empty.
func (g *gauge) String() string {
	readings := g.readings()
	var parts []string
	for _, info := range g.gpus {
		if r, ok := readings[info.ID]; ok {
			parts = append(parts, "  "+info.ID+reading(r))
		}
	}
	return strings.Join(parts, "")
}

// reading lists the figures that are known.
func reading(r device.Reading) string {
	s := ""
	for _, f := range []struct {
		value float64
		text  func(float64) string
	}{
		{r.Utilisation, func(v float64) string { return fmt.Sprintf(" %.0f %%", v) }},
		{r.Used, func(v float64) string { return " " + size(int64(v)) }},
		{r.Power, func(v float64) string { return fmt.Sprintf(" %.0f W", v) }},
		{r.Temperature, func(v float64) string { return fmt.Sprintf(" %.0f °C", v) }},
	} {
		if !math.IsNaN(f.value) {
			s += f.text(f.value)
		}
	}
	return s
}
