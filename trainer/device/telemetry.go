package device

import "math"

// Reading is what a GPU says of itself at one moment. What it does not say is NaN: of a part of a GPU (MIG) there is no
// utilisation, and some GPUs do not know their power.
type Reading struct {
	Utilisation float64 // percent of the driver's last period, up to a second, in which a kernel ran; not how full it was
	Used        float64 // bytes of memory, of all programs
	Power       float64 // watts, of the whole GPU
	Temperature float64 // °C, of the whole GPU
}

// unread is a reading in which nothing was said.
func unread() Reading {
	return Reading{Utilisation: math.NaN(), Used: math.NaN(), Power: math.NaN(), Temperature: math.NaN()}
}

// Telemetry asks the management library of NVIDIA's driver (NVML) what GPUs do. It takes no context and no memory of theirs.
// The caller decides when it is asked; a question takes milliseconds.
type Telemetry interface {
	// Read is what a GPU says now; ok is false where nobody can be asked about it.
	Read(Info) (r Reading, ok bool)
	// Parts are the names of all parts (MIG) of all GPUs, "MIG-…", those that the driver does not show this process, too.
	Parts() []string
	Close() error
}

// silent is the telemetry of a machine without the library.
type silent struct{}

func (silent) Read(Info) (Reading, bool) { return unread(), false }
func (silent) Parts() []string           { return nil }
func (silent) Close() error              { return nil }
