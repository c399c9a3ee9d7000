//go:build gpu && linux && amd64

package device

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock"
)

// whole is a GPU that answers everything, of which parts are parts.
func whole(parts ...nvml.Device) *mock.Device {
	return &mock.Device{
		IsMigDeviceHandleFunc:   func() (bool, nvml.Return) { return false, nvml.SUCCESS },
		GetMemoryInfoFunc:       func() (nvml.Memory, nvml.Return) { return nvml.Memory{Total: 80e9, Used: 3e9}, nvml.SUCCESS },
		GetUtilizationRatesFunc: func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{Gpu: 87, Memory: 5}, nvml.SUCCESS },
		GetPowerUsageFunc:       func() (uint32, nvml.Return) { return 412500, nvml.SUCCESS },
		GetTemperatureFunc:      func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 61, nvml.SUCCESS },
		// One place more than there are parts, as a GPU has.
		GetMaxMigDeviceCountFunc: func() (int, nvml.Return) { return len(parts) + 1, nvml.SUCCESS },
		GetMigDeviceHandleByIndexFunc: func(i int) (nvml.Device, nvml.Return) {
			if i >= len(parts) {
				return nil, nvml.ERROR_NOT_FOUND
			}
			return parts[i], nvml.SUCCESS
		},
	}
}

func TestTelemetry(t *testing.T) {
	part := &mock.Device{
		IsMigDeviceHandleFunc:   func() (bool, nvml.Return) { return true, nvml.SUCCESS },
		GetMemoryInfoFunc:       func() (nvml.Memory, nvml.Return) { return nvml.Memory{Used: 1e9}, nvml.SUCCESS },
		GetUtilizationRatesFunc: func() (nvml.Utilization, nvml.Return) { return nvml.Utilization{}, nvml.ERROR_NOT_SUPPORTED },
		GetUUIDFunc:             func() (string, nvml.Return) { return "MIG-1", nvml.SUCCESS },
	}
	gpu := whole(part)
	part.GetDeviceHandleFromMigDeviceHandleFunc = func() (nvml.Device, nvml.Return) { return gpu, nvml.SUCCESS }
	mute := whole()
	mute.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 0, nvml.ERROR_NOT_SUPPORTED }
	mute.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 0, nvml.ERROR_GPU_IS_LOST }
	closed := 0
	lib := &mock.Interface{
		InitFunc:     func() nvml.Return { return nvml.SUCCESS },
		ShutdownFunc: func() nvml.Return { closed++; return nvml.SUCCESS },
		DeviceGetHandleByUUIDFunc: func(name string) (nvml.Device, nvml.Return) {
			d, ok := map[string]nvml.Device{"GPU-1": gpu, "MIG-1": part, "GPU-2": mute}[name]
			if !ok {
				return nil, nvml.ERROR_NOT_FOUND
			}
			return d, nvml.SUCCESS
		},
		DeviceGetCountFunc: func() (int, nvml.Return) { return 3, nvml.SUCCESS },
		DeviceGetHandleByIndexFunc: func(i int) (nvml.Device, nvml.Return) {
			if i == 2 {
				return nil, nvml.ERROR_GPU_IS_LOST
			}
			return []nvml.Device{gpu, mute}[i], nvml.SUCCESS
		},
	}
	nan := math.NaN()
	tel := telemetryOf(lib)
	for _, c := range []struct {
		uuid string
		want Reading
		ok   bool
	}{
		{"GPU-1", Reading{87, 3e9, 412.5, 61}, true},
		{"GPU-2", Reading{87, 3e9, nan, nan}, true},
		{"MIG-1", Reading{nan, 1e9, 412.5, 61}, true},
		{"GPU-3", Reading{nan, nan, nan, nan}, false},
		{"", Reading{nan, nan, nan, nan}, false},
	} {
		got, ok := tel.Read(Info{UUID: c.uuid})
		if fmt.Sprint(got) != fmt.Sprint(c.want) || ok != c.ok {
			t.Errorf("%q reads %v, %v, want %v, %v", c.uuid, got, ok, c.want, c.ok)
		}
	}
	if parts := tel.Parts(); !slices.Equal(parts, []string{"MIG-1"}) {
		t.Errorf("parts are %v", parts)
	}
	for range 2 {
		if err := tel.Close(); err != nil {
			t.Error(err)
		}
	}
	if closed != 1 {
		t.Errorf("the library was closed %d times", closed)
	}
	if _, ok := tel.Read(Info{UUID: "GPU-1"}); ok || tel.Parts() != nil {
		t.Error("a telemetry that is closed answers")
	}
}

// A machine without the library is no error.
func TestNoTelemetry(t *testing.T) {
	lib := &mock.Interface{InitFunc: func() nvml.Return { return nvml.ERROR_LIBRARY_NOT_FOUND }}
	for name, tel := range map[string]Telemetry{"no library": telemetryOf(lib), "no such file": telemetryOf(nvml.New(nvml.WithLibraryPath("/nowhere/libnvidia-ml.so.1")))} {
		if r, ok := tel.Read(Info{UUID: "GPU-1"}); ok || !math.IsNaN(r.Power) || tel.Parts() != nil || tel.Close() != nil {
			t.Errorf("%s: it answers %v, %v", name, r, ok)
		}
	}
}
