package device

// MaxSlots is how many trials one GPU trains at once, at most.
const MaxSlots = 64

// Status is what can be said about GPU support here.
type Status struct {
	Built  bool   // this program has it
	Driver string // what the driver serves, "CUDA 13.0"; empty: there is no driver
	Reason string // why no GPU can be used; empty: one can
	Others string // the GPUs that cannot be used beside those that can, each with the reason
}
