//go:build !(gpu && linux && amd64)

package device

import "fmt"

const unbuilt = "this build has no GPU support; `make build` makes one that has"

// Built says that this program has no GPU support.
const Built = false

// CUDA says that this program has no GPU support.
func CUDA() Status { return Status{Reason: unbuilt} }

// GPUs are none in a build without GPU support.
func GPUs() []Info { return nil }

// Open is an error in a build without GPU support.
func Open(id string) (GPU, error) { return nil, fmt.Errorf("open %s: %s", id, unbuilt) }

// OpenTelemetry knows nothing in a build without GPU support.
func OpenTelemetry() Telemetry { return silent{} }
