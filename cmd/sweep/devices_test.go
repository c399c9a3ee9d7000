package main

import (
	"math"
	"strings"
	"testing"

	"sweep/trainer/device"
)

// meter is a telemetry with given readings.
type meter map[string]device.Reading

func (m meter) Read(i device.Info) (device.Reading, bool) {
	r, ok := m[i.UUID]
	return r, ok
}
func (meter) Parts() []string { return []string{"MIG-a", "MIG-b"} }
func (meter) Close() error    { return nil }

func TestDeviceTable(t *testing.T) {
	m := meter{"GPU-1": {Utilisation: 87, Used: 3e9, Power: 412.4, Temperature: math.NaN()}}
	list := deviceList{Devices: []deviceView{
		{ID: "cpu:0", Kind: "cpu", Name: "EPYC", MemoryBytes: 4e9, Slots: 1},
		gpuView(device.Info{ID: "cuda:0", UUID: "GPU-1", Name: "H100", Memory: 80e9, Major: 9}, m),
		gpuView(device.Info{ID: "cuda:1", UUID: "GPU-2", Name: "H100", Memory: 80e9, Major: 9}, m),
	}}
	var b strings.Builder
	printDevices(&b, list)
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"ID KIND NAME MEMORY SLOTS BUSY USED POWER TEMP",
		"cpu:0 cpu EPYC 4.0 GB 1 – – – –",
		"cuda:0 cuda H100 80.0 GB 64 87 % 3.0 GB 412 W –",
		"cuda:1 cuda H100 80.0 GB 64 – – – –",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the table is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b.Reset()
	printDevices(&b, deviceList{Devices: list.Devices[:1]})
	if strings.Contains(b.String(), "BUSY") {
		t.Errorf("nobody tells anything, but the table has columns for it:\n%s", b.String())
	}
	if list := devices(m); len(list.CUDA.Hidden) != 2 || !strings.Contains(list.CUDA.String(), "CUDA_VISIBLE_DEVICES=NAME: MIG-a, MIG-b") {
		t.Errorf("parts that the driver does not show: %q", list.CUDA)
	}
}

func TestUnbuilt(t *testing.T) {
	for _, c := range []struct {
		nodes int
		built bool
		want  string
	}{
		{0, false, ""},
		{0, true, ""},
		{3, true, ""},
		{1, false, "this machine has an NVIDIA device, but this build has no GPU support: `make build` makes one that has"},
		{2, false, "this machine has 2 NVIDIA devices, but this build has no GPU support: `make build` makes one that has"},
	} {
		if got := unbuilt(c.nodes, c.built); got != c.want {
			t.Errorf("%d devices, GPU support %v: %q, want %q", c.nodes, c.built, got, c.want)
		}
	}
}
