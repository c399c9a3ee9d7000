package main

import (
	"fmt"
	"strings"
	"testing"

	"sweep/study/spec"
	"sweep/trainer/device"
)

// Where a sweep is trained, by --devices and --workers: slots of each GPU with room for so many, then cores, and whether
// these are only for what GPUs cannot train. A core stays wherever cores were chosen, or such a trial would wait for ever.
func TestCrewShares(t *testing.T) {
	two := []device.Info{{ID: "cuda:0", UUID: "GPU-a"}, {ID: "cuda:MIG-b", UUID: "MIG-b"}}
	for _, c := range []struct {
		gpus    int
		devices string
		workers int
		room    int
		want    string
	}{
		{0, "", 0, 0, "[] cpu:0 cpu:1 cpu:2 cpu:3"},
		{0, "", 2, 0, "[] cpu:0 cpu:1"},
		{0, "cpu:3", 2, 0, "[] cpu:3"},
		{1, "", 0, 64, "[64] cpu:0 cpu:1 cpu:2 spare"},
		{1, "", 1, 64, "[1] cpu:0 spare"},
		{1, "cuda", 1, 64, "[1]"},
		{1, "cuda,cpu", 0, 64, "[64] cpu:0 cpu:1 cpu:2"},
		{1, "cuda,cpu", 1, 64, "[1] cpu:0 spare"},
		{2, "cuda,cpu", 2, 64, "[1 1] cpu:0 spare"},
		{2, "cuda,cpu", 3, 64, "[2 1] cpu:0 spare"},
		{1, "cuda,cpu", 64, 64, "[64] cpu:0 spare"},
		{1, "cuda,cpu", 66, 64, "[64] cpu:0 cpu:1"},
		{1, "cuda,cpu", 99, 64, "[64] cpu:0 cpu:1 cpu:2"},
		{2, "cuda,cpu", 6, 2, "[2 2] cpu:0 cpu:1"},
		{1, "", 3, 64, "[3] cpu:0 spare"},
		{1, "", 66, 64, "[64] cpu:0 cpu:1 spare"},
		{2, "MIG-b,cuda:0", 5, 64, "[3 2]"},
		{2, "cuda:1,cpu:2", 5, 64, "[5] cpu:2 spare"},
	} {
		var names []string
		var err error
		if c.devices != "" {
			if names, err = spec.Devices(c.devices); err != nil {
				t.Fatal(err)
			}
		}
		chosen, err := machine{gpus: two[:c.gpus], cores: 4}.choose(names)
		if err != nil {
			t.Fatal(err)
		}
		room := make([]int, len(chosen.gpus))
		for i := range room {
			room[i] = c.room
		}
		slots, chosen := chosen.share(c.workers, room)
		got := fmt.Sprint(slots, " ", strings.Join(chosen.cores, " "))
		if chosen.spare && len(chosen.cores) > 0 {
			got += " spare"
		}
		if got = strings.TrimSpace(got); got != c.want {
			t.Errorf("%d GPUs, --devices %q --workers %d: %q, want %q", c.gpus, c.devices, c.workers, got, c.want)
		}
	}
}

// Where cores alone are named no driver is asked what it has.
func TestCoresNeedNoDriver(t *testing.T) {
	for names, asked := range map[string]bool{"cpu": false, "cpu:0,cpu:1": false, "cpu:0,cuda": true, "cuda:0": true} {
		list, err := spec.Devices(names)
		if err != nil {
			t.Fatal(err)
		}
		want := device.Status{}
		if asked {
			want = device.CUDA()
		}
		if m := here(list); m.status != want || m.cores < 1 {
			t.Errorf("--devices %s: asked %v, %+v", names, asked, m)
		}
	}
}

// A name finds its GPU by the driver's own number, also where an earlier one cannot be used; a part of a GPU, which has none,
// by its place among those that are shown.
func TestCrewNamesGPUs(t *testing.T) {
	m := machine{cores: 2, gpus: []device.Info{
		{ID: "cuda:1", UUID: "GPU-b"}, {ID: "cuda:2", UUID: "GPU-c"}, {ID: "cuda:MIG-d", UUID: "MIG-d"},
	}}
	for name, want := range map[string]string{
		"cuda:0": "", "cuda:1": "cuda:1", "cuda:2": "cuda:2", "cuda:3": "", "cuda:MIG-d": "cuda:MIG-d", "cuda:GPU-c": "cuda:2", "cuda:MIG-e": "",
	} {
		found, err := m.gpu(name)
		got := ""
		if err == nil && len(found) == 1 {
			got = found[0].ID
		}
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q (%v), want %q", name, got, err, want)
		}
	}
}
