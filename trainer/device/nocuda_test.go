//go:build !(gpu && linux && amd64)

package device_test

import (
	"strings"
	"testing"

	"sweep/trainer/device"
)

// A build without GPU support says so, and how to get one that has it.
func TestUnbuilt(t *testing.T) {
	if s := device.CUDA(); s.Built || device.Built || !strings.Contains(s.Reason, "`make build` makes one that has") {
		t.Errorf("CUDA is %+v", s)
	}
	if g, err := device.Open("cuda:0"); g != nil || err == nil || !strings.Contains(err.Error(), "cuda:0: this build has no GPU support") {
		t.Errorf("open: %v, %v", g, err)
	}
	if len(device.GPUs()) != 0 {
		t.Errorf("GPUs are %v", device.GPUs())
	}
	if r, ok := device.OpenTelemetry().Read(device.Info{UUID: "GPU-1"}); ok || r.Power == r.Power {
		t.Errorf("telemetry reads %v, %v", r, ok)
	}
}
