package device

import "errors"

// Address is a place in a GPU's memory; 0 is none.
type Address uint64

// GPU is a device with a context of its own. Its methods may be called from any goroutine, several at once.
//
// An error that wraps [ErrLost] means that the context is gone with all its memory: Close it and open another.
type GPU interface {
	// Info says which device it is.
	Info() Info
	// Memory is what is free now, and all, in bytes.
	Memory() (free, total int64, err error)
	// Alloc takes memory at a multiple of 256 bytes. What lies there is undefined. It wraps [ErrMemory] where there is none.
	Alloc(bytes int64) (Address, error)
	Free(Address) error
	// Pinned is memory of the host that the device copies from and to while the host goes on. It is freed by Close.
	Pinned(bytes int) ([]byte, error)
	// Module loads PTX.
	Module(ptx []byte) (Module, error)
	// Stream makes a queue of work that runs beside those of other streams.
	Stream() (Stream, error)
	// Close frees everything that was made with it.
	Close() error
}

// Info describes a device.
type Info struct {
	ID     string // "cuda:0", or a MIG name: "cuda:MIG-…"
	UUID   string // as the driver's tools print it: "GPU-…", or "MIG-…" of a part of one
	Name   string // as the driver says: "NVIDIA H100 80GB HBM3"
	Memory int64  // bytes
	Major  int    // compute capability
	Minor  int
	Cores  int // multiprocessors
}

// Module is code on the device.
type Module interface {
	// Function finds a kernel. Dynamic shared memory beyond 48 KiB is asked for here; 0: none.
	Function(name string, shared int) (Function, error)
}

// Function is a kernel of a module, of one argument, an address.
type Function interface{ Name() string }

// Launch is a kernel with its grid.
type Launch struct {
	Function Function
	X, Y     int // blocks
	Threads  int // of a block
	Shared   int // bytes of dynamic shared memory
	Argument Address
}

// Stream is a queue: what is put into it runs in order. Nothing of it waits, but Wait.
type Stream interface {
	// Upload copies host memory, which must be pinned and stay unchanged until the copy is done, to the device.
	Upload(to Address, from []byte) error
	// Download copies to pinned host memory.
	Download(to []byte, from Address) error
	Copy(to, from Address, bytes int64) error
	Fill(to Address, value byte, bytes int64) error
	Launch(Launch) error
	// Capture notes the launches (and copies, fills) that f puts into the stream, without running them.
	Capture(f func() error) (Graph, error)
	// Run puts a graph of this stream's in.
	Run(Graph) error
	// Mark is done when all that is in the stream now is.
	Mark() (Mark, error)
	// After lets what is put in from now on wait for a mark of another stream.
	After(Mark) error
	// Wait returns when the stream is empty.
	Wait() error
	Close() error
}

// Graph is a captured sequence of launches.
type Graph interface {
	// Close drops it; a second one does nothing.
	Close() error
}

// Mark is a point in a stream.
type Mark interface {
	// Wait returns when the point is reached.
	Wait() error
	// Done asks whether it is.
	Done() (bool, error)
	Close() error
}

var (
	// ErrLost is the error of a context that cannot be used any more.
	ErrLost = errors.New("the GPU's context is lost")
	// ErrMemory is the error of a device without enough memory.
	ErrMemory = errors.New("the GPU has not enough memory")
)
