//go:build gpu && linux && amd64

package device

/*
#include <cuda.h>

// What cu lacks, or cannot be used for: pinned memory, more shared memory than kernels have by default, the log of the
// driver's compiler, the capture and launch of graphs, and the UUIDs of MIG instances.

static CUresult sweep_load(CUmodule *m, const void *image, char *log, unsigned size) {
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, (void *)(uintptr_t)size};
  return cuModuleLoadDataEx(m, image, 2, options, values);
}

// Capture is relaxed: other threads go on allocating and launching, and the stream's owner may change its thread.
static CUresult sweep_begin(CUstream s) { return cuStreamBeginCapture(s, CU_STREAM_CAPTURE_MODE_RELAXED); }

static CUresult sweep_end(CUstream s, int keep, CUgraphExec *exec) {
  CUgraph g = NULL;
  CUresult r = cuStreamEndCapture(s, &g);
  if (r == CUDA_SUCCESS && keep) r = cuGraphInstantiateWithFlags(exec, g, 0);
  if (g) cuGraphDestroy(g);
  return r;
}
*/
import "C"

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unsafe"

	"gorgonia.org/cu"
)

// result is a CUresult as an error.
func result(r C.CUresult) error {
	if r == C.CUDA_SUCCESS {
		return nil
	}
	return resultError(r)
}

// resultName is the driver's name of a result with what it says about it.
func resultName(r int) string {
	var name, text *C.char
	if C.cuGetErrorName(C.CUresult(r), &name) != C.CUDA_SUCCESS || name == nil {
		return fmt.Sprintf("CUDA error %d", r)
	}
	if C.cuGetErrorString(C.CUresult(r), &text) != C.CUDA_SUCCESS || text == nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("%s (%s)", C.GoString(name), C.GoString(text))
}

// uuids are the UUID of a device and that of the MIG instance that it is, or again its own; empty where the driver has none.
func uuids(n int) (whole, part string) {
	var a, b C.CUuuid
	if C.cuDeviceGetUuid(&a, C.CUdevice(n)) == C.CUDA_SUCCESS {
		whole = uuid(a)
	}
	if C.cuDeviceGetUuidMIG(&b, C.CUdevice(n)) == C.CUDA_SUCCESS {
		part = uuid(b)
	}
	return whole, part
}

// uuid is a UUID as the driver's tools print it.
func uuid(u C.CUuuid) string {
	s := hex.EncodeToString(C.GoBytes(unsafe.Pointer(&u), 16))
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

func allocHost(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	err := result(C.cuMemAllocHost(&p, C.size_t(bytes)))
	return p, err
}

func freeHost(at uintptr) error {
	return result(C.cuMemFreeHost(*(*unsafe.Pointer)(unsafe.Pointer(&at))))
}

// loadModule compiles PTX for the device; log is what the driver's compiler complains of.
func loadModule(ptx []byte) (m cu.Module, log string, err error) {
	text := C.CString(string(ptx))
	defer C.free(unsafe.Pointer(text))
	const size = 8 << 10
	buffer := (*C.char)(C.calloc(1, size))
	defer C.free(unsafe.Pointer(buffer))
	err = result(C.sweep_load((*C.CUmodule)(unsafe.Pointer(&m)), unsafe.Pointer(text), buffer, size-1))
	return m, strings.TrimSpace(C.GoString(buffer)), err
}

// allowShared lets a kernel have more dynamic shared memory than 48 KiB.
func allowShared(f cu.Function, bytes int) error {
	c := *(*C.CUfunction)(unsafe.Pointer(&f))
	return result(C.cuFuncSetAttribute(c, C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

func handle(s cu.Stream) C.CUstream { return *(*C.CUstream)(unsafe.Pointer(&s)) }

func beginCapture(s cu.Stream) error { return result(C.sweep_begin(handle(s))) }

// endCapture makes what was captured ready to run, or drops it.
func endCapture(s cu.Stream, keep bool) (graphExec, error) {
	var g graphExec
	end := C.int(0)
	if keep {
		end = 1
	}
	err := result(C.sweep_end(handle(s), end, &g.e))
	return g, err
}

// graphExec is a graph that is ready to run.
type graphExec struct{ e C.CUgraphExec }

func (g graphExec) launch(s cu.Stream) error { return result(C.cuGraphLaunch(g.e, handle(s))) }
func (g graphExec) destroy() error           { return result(C.cuGraphExecDestroy(g.e)) }
