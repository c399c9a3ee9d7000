package device

// prefix begins the IDs of GPUs.
const prefix = "cuda:"

// Status is what can be said about GPU support here.
type Status struct {
	Built  bool   // this program has it
	Driver string // what the driver serves, "CUDA 13.0"; empty: there is no driver
	Reason string // why no GPU can be used; empty: one can
}
