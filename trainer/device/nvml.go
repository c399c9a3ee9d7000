//go:build gpu && linux && amd64

package device

import (
	"errors"
	"fmt"
	"sync"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
)

// OpenTelemetry loads the library. A machine without it has a telemetry that knows nothing.
func OpenTelemetry() Telemetry { return telemetryOf(nvml.New()) }

// library is the part of NVML that is used.
type library interface {
	Init() nvml.Return
	Shutdown() nvml.Return
	DeviceGetHandleByUUID(string) (nvml.Device, nvml.Return)
	DeviceGetCount() (int, nvml.Return)
	DeviceGetHandleByIndex(int) (nvml.Device, nvml.Return)
}

func telemetryOf(lib library) Telemetry {
	if lib.Init() != nvml.SUCCESS {
		return silent{}
	}
	return &telemetry{lib: lib}
}

// telemetry asks NVML.
type telemetry struct {
	mu     sync.Mutex
	lib    library
	closed bool
}

func (t *telemetry) Read(info Info) (Reading, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := unread()
	if t.closed || info.UUID == "" {
		return r, false
	}
	d, ret := t.lib.DeviceGetHandleByUUID(info.UUID)
	if ret != nvml.SUCCESS {
		return r, false
	}
	if m, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS {
		r.Used = float64(m.Used)
	}
	if u, ret := d.GetUtilizationRates(); ret == nvml.SUCCESS {
		r.Utilisation = float64(u.Gpu)
	}
	whole := d
	if part, ret := d.IsMigDeviceHandle(); ret == nvml.SUCCESS && part {
		if whole, ret = d.GetDeviceHandleFromMigDeviceHandle(); ret != nvml.SUCCESS {
			return r, true
		}
	}
	if mW, ret := whole.GetPowerUsage(); ret == nvml.SUCCESS {
		r.Power = float64(mW) / 1000
	}
	if c, ret := whole.GetTemperature(nvml.TEMPERATURE_GPU); ret == nvml.SUCCESS {
		r.Temperature = float64(c)
	}
	return r, true
}

func (t *telemetry) Parts() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	var names []string
	n, ret := t.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return nil
	}
	for i := range n {
		d, ret := t.lib.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			continue
		}
		parts, ret := d.GetMaxMigDeviceCount()
		if ret != nvml.SUCCESS {
			continue
		}
		for j := range parts {
			// Places that hold no part are errors.
			if p, ret := d.GetMigDeviceHandleByIndex(j); ret == nvml.SUCCESS {
				if name, ret := p.GetUUID(); ret == nvml.SUCCESS {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func (t *telemetry) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	if ret := t.lib.Shutdown(); ret != nvml.SUCCESS {
		return fmt.Errorf("close telemetry: %w", errors.New(nvml.ErrorString(ret)))
	}
	return nil
}
