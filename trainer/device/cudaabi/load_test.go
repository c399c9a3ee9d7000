//go:build gpu && linux && amd64

package cudaabi_test

import (
	"os"
	"testing"

	"sweep/study/studytest"
	"sweep/trainer/device/cudaabi"
)

// What was found is found once, and the stand-in driver has every function that the device package calls.
func TestLoad(t *testing.T) {
	if os.Getenv("SWEEP_LIBCUDA") == "" {
		studytest.LeaveOut(t, "runs on the stand-in driver: make cuda-test")
	}
	s := cudaabi.Load()
	if s.Path != os.Getenv("SWEEP_LIBCUDA") || s.Init != 0 || s.Version != 13000 || s.Reason != "" {
		t.Fatalf("found %+v", s)
	}
	t.Setenv("SWEEP_LIBCUDA", "/nowhere")
	if again := cudaabi.Load(); again != s {
		t.Errorf("the second time found %+v", again)
	}
	has := cudaabi.Functions()
	missing := 0
	for _, there := range has {
		if !there {
			missing++
		}
	}
	if len(has) != len(symbols(t)) || missing != s.Missing {
		t.Errorf("%d functions, %d missing; the header has %d, Load counted %d missing", len(has), missing, len(symbols(t)), s.Missing)
	}
	for _, name := range []string{
		"cuCtxCreate_v2", "cuCtxDestroy_v2", "cuCtxSetCurrent", "cuCtxSynchronize", "cuDeviceGet", "cuDeviceGetAttribute",
		"cuDeviceGetName", "cuDeviceGetUuid", "cuDeviceGetUuid_v2", "cuDeviceTotalMem_v2", "cuEventCreate", "cuEventDestroy_v2",
		"cuEventQuery", "cuEventRecord", "cuEventSynchronize", "cuFuncSetAttribute", "cuGetErrorName", "cuGetErrorString",
		"cuGraphDestroy", "cuGraphExecDestroy", "cuGraphInstantiateWithFlags", "cuGraphLaunch", "cuLaunchKernel", "cuMemAllocHost_v2",
		"cuMemAlloc_v2", "cuMemFreeHost", "cuMemFree_v2", "cuMemGetInfo_v2", "cuMemcpyDtoDAsync_v2", "cuMemcpyDtoHAsync_v2",
		"cuMemcpyHtoDAsync_v2", "cuMemsetD8Async", "cuModuleGetFunction", "cuModuleLoadDataEx", "cuStreamBeginCapture_v2",
		"cuStreamCreate", "cuStreamDestroy_v2", "cuStreamEndCapture", "cuStreamSynchronize", "cuStreamWaitEvent",
	} {
		if !has[name] {
			t.Errorf("the stand-in driver lacks %s", name)
		}
	}
	if cudaabi.Symbol("sweep_fake_launches") == nil || cudaabi.Symbol("no_such_function") != nil {
		t.Error("functions that are no part of the header are not told apart")
	}
}
