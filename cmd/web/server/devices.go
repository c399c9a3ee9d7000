package server

import (
	"fmt"
	"math"
	"strings"

	"sweep/study"
	"sweep/templates"
)

// unmeasured is said wherever a GPU is among the devices: the path is correct on the stand-in driver, its speed unknown.
const unmeasured = "GPU path: not yet measured on hardware"

// Device is one that trains a study, at one moment. Figures that are not known are NaN.
type Device struct {
	ID    string  // as attempts record it: "cuda:0", "cpu:3"
	Kind  string  // what it is and how it computes, as attempts record it
	Busy  int     // slots in which a trial trains
	Slots int     // trials that it trains at once
	Rate  float64 // images a second that its trials train on together

	Utilisation float64 // percent of the last period of a GPU in which a kernel ran
	Used        float64 // bytes of memory, of all programs
	Memory      float64 // bytes of memory in all
	Power       float64 // watts
	Temperature float64 // °C
}

// isGPU tells GPUs from cores by their ID.
func isGPU(id string) bool { return strings.HasPrefix(id, "cuda") }

// devices is the panel of what trains a study now. What a device does only the process knows that trains on it: of another
// one the panel says where to look.
func (s *Server) devices(sum study.Summary) templates.Devices {
	var v templates.Devices
	if sum.State() == "finished" {
		return v // the page's stream ends here, whenever the devices are let go
	}
	if s.cfg.Devices == nil {
		v.Elsewhere = sum.Live
		return v
	}
	for _, d := range s.cfg.Devices(sum.ID) {
		row := templates.DeviceRow{
			ID: d.ID, Kind: d.Kind, Slots: fmt.Sprintf("%d of %d", d.Busy, d.Slots), Rate: templates.Missing,
			Utilisation: figure(d.Utilisation, "%"), Memory: templates.Missing,
			Power: figure(d.Power, "W"), Temperature: figure(d.Temperature, "°C"),
		}
		if !math.IsNaN(d.Rate) {
			row.Rate = templates.Value{Text: templates.Count(int(math.Round(d.Rate))), Title: templates.Number(d.Rate).Title}
		}
		if !math.IsNaN(d.Used) {
			row.Memory = templates.Bytes(int64(d.Used))
			if all := templates.Bytes(int64(d.Memory)); d.Memory > 0 {
				row.Memory = templates.Value{Text: row.Memory.Text + " of " + all.Text, Title: row.Memory.Title + " of " + all.Title}
			}
		}
		for _, f := range []float64{d.Utilisation, d.Used, d.Power, d.Temperature} {
			v.Telling = v.Telling || !math.IsNaN(f)
		}
		if isGPU(d.ID) {
			v.Note = unmeasured
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

// figure is a whole number with its unit.
func figure(v float64, unit string) templates.Value {
	if math.IsNaN(v) {
		return templates.Missing
	}
	return templates.Value{Text: fmt.Sprintf("%.0f %s", v, unit)}
}
