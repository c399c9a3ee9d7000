package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"

	"sweep/trainer/device"
	"sweep/trainer/kernel"
)

// deviceList is what `sweep devices --json` prints.
type deviceList struct {
	Devices []deviceView `json:"devices"`
	CUDA    cudaView     `json:"cuda"`
}

type deviceView struct {
	ID          string       `json:"id"`
	Kind        string       `json:"kind"` // cpu or cuda
	Name        string       `json:"name"`
	MemoryBytes uint64       `json:"memory_bytes"`
	Slots       int          `json:"slots"`             // trials at once, at most
	UUID        string       `json:"uuid,omitempty"`    // of a GPU, or of a part of one
	Compute     string       `json:"compute,omitempty"` // its compute capability: "9.0"
	Now         *readingView `json:"now,omitempty"`     // where the driver's management library answers
}

// readingView is what a GPU does now; what it does not say is null.
type readingView struct {
	Utilisation *float64 `json:"utilisation_percent"`
	Used        *float64 `json:"memory_used_bytes"`
	Power       *float64 `json:"power_watts"`
	Temperature *float64 `json:"temperature_celsius"`
}

// cudaView says whether GPUs can be used, and if not, why.
type cudaView struct {
	Built  bool   `json:"built"`  // this build has GPU support
	Driver string `json:"driver"` // "CUDA 13.0"; empty: there is no driver
	Reason string `json:"reason"` // empty: GPUs can be used
	Others string `json:"others"` // GPUs that cannot be used beside those that can, each with the reason
	// Parts of GPUs (MIG) that the driver does not show this process: it shows the one that CUDA_VISIBLE_DEVICES names.
	Hidden []string `json:"hidden,omitempty"`
}

func (a *app) devicesVerb() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "devices", Short: "What trials can be trained on", Args: cobra.NoArgs,
		Long: `What trials can be trained on: the cores, each one trial at a time, and the GPUs, each many at once.
GPUs are numbered as the driver shows them, CUDA_VISIBLE_DEVICES being its own variable; a part of a GPU (MIG) has its name.`,
		RunE: func(*cobra.Command, []string) error {
			t := device.OpenTelemetry()
			defer t.Close() //nolint:errcheck // nothing is lost with it
			list := devices(t)
			if asJSON {
				return printJSON(a.out, list)
			}
			printDevices(a.out, list)
			fmt.Fprintf(a.err, "kernels: %s; GPU: %s\n", kernel.Best().Name(), list.CUDA)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// String is for people: what was found, or what is in the way.
func (v cudaView) String() string {
	text := v.Reason
	if text == "" {
		text = "driver found, " + v.Driver
	} else if v.Built && v.Driver == "" {
		text += "; NVIDIA's driver brings it, and SWEEP_LIBCUDA=FILE names it where it lies elsewhere"
	}
	if v.Others != "" {
		text += "; " + v.Others
	}
	if len(v.Hidden) > 0 {
		text += "; not shown to this process, but by CUDA_VISIBLE_DEVICES=NAME: " + strings.Join(v.Hidden, ", ")
	}
	return text
}

func printDevices(w io.Writer, list deviceList) {
	head := []string{"ID", "KIND", "NAME", "MEMORY", "SLOTS"}
	right := map[string]bool{"MEMORY": true, "SLOTS": true, "BUSY": true, "USED": true, "POWER": true, "TEMP": true}
	telling := slices.ContainsFunc(list.Devices, func(d deviceView) bool { return d.Now != nil })
	if telling {
		head = append(head, "BUSY", "USED", "POWER", "TEMP")
	}
	var rows [][]string
	for _, d := range list.Devices {
		row := []string{d.ID, d.Kind, d.Name, size(int64(d.MemoryBytes)), fmt.Sprint(d.Slots)}
		if telling {
			now := d.Now
			if now == nil {
				now = &readingView{}
			}
			row = append(row,
				told(now.Utilisation, func(v float64) string { return fmt.Sprintf("%.0f %%", v) }),
				told(now.Used, func(v float64) string { return size(int64(v)) }),
				told(now.Power, func(v float64) string { return fmt.Sprintf("%.0f W", v) }),
				told(now.Temperature, func(v float64) string { return fmt.Sprintf("%.0f °C", v) }))
		}
		rows = append(rows, row)
	}
	table(w, head, right, rows)
}

// told is a figure of a reading, or a dash.
func told(v *float64, format func(float64) string) string {
	if v == nil {
		return "–"
	}
	return format(*v)
}

// devices lists one device a core, since each core trains a trial of its own, then the GPUs.
func devices(t device.Telemetry) deviceList {
	list := deviceList{Devices: cores()}
	status := device.CUDA()
	list.CUDA = cudaView{Built: status.Built, Driver: status.Driver, Reason: status.Reason, Others: status.Others}
	if note := unbuiltNote(); note != "" {
		list.CUDA.Reason = note
	}
	hidden := t.Parts()
	for _, g := range device.GPUs() {
		list.Devices = append(list.Devices, gpuView(g, t))
		hidden = slices.DeleteFunc(hidden, func(name string) bool { return name == g.UUID })
	}
	list.CUDA.Hidden = hidden
	return list
}

// gpuView is a GPU with what it says of itself now.
func gpuView(g device.Info, t device.Telemetry) deviceView {
	v := deviceView{
		ID: g.ID, Kind: "cuda", Name: g.Name, MemoryBytes: uint64(max(g.Memory, 0)), Slots: device.MaxSlots,
		UUID: g.UUID, Compute: fmt.Sprintf("%d.%d", g.Major, g.Minor),
	}
	if r, ok := t.Read(g); ok {
		v.Now = &readingView{known(r.Utilisation), known(r.Used), known(r.Power), known(r.Temperature)}
	}
	return v
}

// known is a figure, nil where it is NaN.
func known(v float64) *float64 {
	if math.IsNaN(v) {
		return nil
	}
	return &v
}

// cores lists the devices of the CPU.
func cores() []deviceView {
	name := cpuid.CPU.BrandName
	if name == "" {
		name = runtime.GOARCH
	}
	n := runtime.GOMAXPROCS(0)
	var list []deviceView
	for i := range n {
		list = append(list, deviceView{
			ID: fmt.Sprintf("cpu:%d", i), Kind: "cpu", Name: name, MemoryBytes: memory() / uint64(n), Slots: 1,
		})
	}
	return list
}

// unbuiltNote says that the machine has NVIDIA devices which this build cannot use; empty: it has none, or it can.
func unbuiltNote() string {
	nodes, _ := filepath.Glob("/dev/nvidia[0-9]*") // the pattern is good
	return unbuilt(len(nodes), device.Built)
}

func unbuilt(nodes int, built bool) string {
	switch {
	case nodes == 0 || built:
		return ""
	case nodes == 1:
		return "this machine has an NVIDIA device, but this build has no GPU support: `make build` makes one that has"
	}
	return fmt.Sprintf("this machine has %d NVIDIA devices, but this build has no GPU support: `make build` makes one that has", nodes)
}

// memory is the machine's, in bytes; 0 where the system does not say.
func memory() uint64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	var kB uint64
	if _, err := fmt.Fscanf(f, "MemTotal: %d kB", &kB); err != nil {
		return 0
	}
	return kB * 1024
}
