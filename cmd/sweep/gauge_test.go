package main

import (
	"math"
	"testing"
	"time"

	"sweep/trainer/device"
)

// scripted is a telemetry that counts how often it is asked.
type scripted struct {
	readings map[string]device.Reading
	asked    int
}

func (s *scripted) Read(i device.Info) (device.Reading, bool) {
	s.asked++
	r, ok := s.readings[i.ID]
	return r, ok
}
func (s *scripted) Parts() []string { return nil }
func (s *scripted) Close() error    { return nil }

// What is not known is left out, and GPUs are not asked at every look.
func TestGauge(t *testing.T) {
	nan := math.NaN()
	s := &scripted{readings: map[string]device.Reading{
		"cuda:0": {Utilisation: 97, Used: 41.2e9, Power: 312, Temperature: 58},
		"cuda:1": {Utilisation: nan, Used: 2e9, Power: nan, Temperature: nan},
	}}
	now := time.Unix(100, 0)
	g := &gauge{gpus: []device.Info{{ID: "cuda:0"}, {ID: "cuda:1"}, {ID: "cuda:2"}}, telemetry: s, now: func() time.Time { return now }}
	const want = "  cuda:0 97 % 41.2 GB 312 W 58 °C  cuda:1 2.0 GB"
	for range 3 {
		if got := g.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		now = now.Add(gaugeEvery / 4)
	}
	if s.asked != 3 {
		t.Errorf("asked %d times within a moment, want once for each of 3", s.asked)
	}
	now = now.Add(gaugeEvery)
	if got := g.String(); got != want || s.asked != 6 {
		t.Errorf("asked %d times after another, want 6", s.asked)
	}
}
