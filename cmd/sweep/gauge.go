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

// gauge says in a few words what GPUs do now. It may be asked by several goroutines at once.
type gauge struct {
	gpus      []device.Info
	telemetry device.Telemetry
	now       func() time.Time

	mu   sync.Mutex
	read time.Time
	text string
}

// String is "  cuda:0 97 % 41.2 GB 312 W 58 °C" for each GPU that says something, else empty.
func (g *gauge) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if !g.read.IsZero() && now.Sub(g.read) < gaugeEvery {
		return g.text
	}
	g.read = now
	var parts []string
	for _, info := range g.gpus {
		if r, ok := g.telemetry.Read(info); ok {
			parts = append(parts, "  "+info.ID+reading(r))
		}
	}
	g.text = strings.Join(parts, "")
	return g.text
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
