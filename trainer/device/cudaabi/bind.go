//go:build gpu && linux && amd64

package cudaabi

/*
#cgo CFLAGS: -I${SRCDIR}/include
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "bind.h"
*/
import "C"

import "unsafe"

// Status is what was found when the driver was looked for.
type Status struct {
	Path    string // of the library, as it was asked for; empty: none could be loaded
	Reason  string // why none could be loaded, as the loader says
	Init    int    // result of cuInit as CUresult; -1: there is none to call
	Version int    // of CUDA that the driver serves, 1000·major + 10·minor
	Missing int    // functions of include/cuda.h that the driver lacks
}

// Load finds the driver and initialises it: the library that the variable SWEEP_LIBCUDA names, or else libcuda.so.1. Only the
// first call does; all return what it found. Before it, every function of the driver returns NOT_INITIALIZED.
func Load() Status {
	s := C.sweep_cuda_load()
	return Status{
		Path: C.GoString(&s.path[0]), Reason: C.GoString(&s.reason[0]),
		Init: int(s.init), Version: int(s.version), Missing: int(s.missing),
	}
}

// Symbol is the address of a function of the loaded library by name, nil where it has none.
func Symbol(name string) unsafe.Pointer {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return C.sweep_cuda_symbol(s)
}

// Functions are the driver's functions that this program may call, by the names that a driver exports, and whether the one
// that was loaded has them.
func Functions() map[string]bool {
	list := map[string]bool{}
	for i := range int(C.sweep_cuda_count) {
		list[C.GoString(C.sweep_cuda_name(C.int(i)))] = C.sweep_cuda_found(C.int(i)) != 0
	}
	return list
}
