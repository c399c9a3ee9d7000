//go:build gpu && linux && amd64

package device_test

import (
	"strings"
	"testing"

	"sweep/trainer/device"
	"sweep/trainer/device/devicetest"
)

func TestOpen(t *testing.T) {
	devicetest.Require(t)
	g := devicetest.Open(t, "cuda:0")
	want := device.Info{
		ID: "cuda:0", UUID: "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00", Name: "stand-in 0", Memory: 2 << 30, Major: 9, Cores: 132,
	}
	if g.Info() != want {
		t.Errorf("opened %+v, want %+v", g.Info(), want)
	}
	if list := device.GPUs(); len(list) != 1 || list[0] != want {
		t.Errorf("GPUs are %+v", list)
	}
	if s := device.CUDA(); !s.Built || s.Driver != "CUDA 13.0" || s.Reason != "" {
		t.Errorf("the driver is %+v", s)
	}
	for id, say := range map[string]string{
		"cuda:1":       "the driver shows 1",
		"cuda:-1":      "no such GPU",
		"cuda:":        "no such GPU",
		"cuda:x":       "no such GPU",
		"cpu:0":        "named cuda:0",
		"":             "named cuda:0",
		"cuda:MIG-abc": "CUDA_VISIBLE_DEVICES=MIG-abc",
	} {
		if g, err := device.Open(id); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("open %q: %v, %v; want an error with %q", id, g, err, say)
		}
	}
	// The whole GPU's name works, too, and that of a part of one.
	for id, mig := range map[string]string{
		"cuda:GPU-fafafafa-fafa-fafa-fafa-fafafafafa00": "0",
		"cuda:MIG-16fafafa-fafa-fafa-fafa-fafafafafa00": "1",
	} {
		t.Setenv("SWEEP_FAKE_MIG", mig)
		part := devicetest.Open(t, id)
		if mig == "1" && part.Info().ID != id {
			t.Errorf("a part of a GPU is opened as %s, want %s", part.Info().ID, id)
		}
	}
}
