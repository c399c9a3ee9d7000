//go:build gpu && linux && amd64

package devicetest

/*
#include <stddef.h>
#include <stdlib.h>

static void sweep_test_fail_after(void *f, long n) { ((void (*)(long))f)(n); }
static long sweep_test_launches(void *f) { return ((long (*)(void))f)(); }
static int sweep_test_ran(void *f, const char *name) { return ((int (*)(const char *))f)(name); }
*/
import "C"

import (
	"os"
	"testing"
	"unsafe"

	"sweep/study/studytest"
	"sweep/trainer/device"
	"sweep/trainer/device/cudaabi"
)

// Require skips a test where the driver that the program finds is not the stand-in.
func Require(t testing.TB) {
	t.Helper()
	if os.Getenv("SWEEP_LIBCUDA") == "" {
		studytest.LeaveOut(t, "runs on the stand-in driver: make cuda-test builds it and sets SWEEP_LIBCUDA")
	}
	if s := cudaabi.Load(); s.Path == "" || cudaabi.Symbol("sweep_fake_launches") == nil {
		t.Fatalf("SWEEP_LIBCUDA is not the stand-in driver: %s", s.Reason)
	}
}

// Open opens a device of the stand-in driver, "cuda:0" being the one that is always there, until the test ends.
func Open(t testing.TB, id string) device.GPU {
	t.Helper()
	Require(t)
	g, err := device.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("close %s: %v", id, err)
		}
	})
	return g
}

// FailAfter makes the n-th launch from now, the first being 1, lose its context with all that is in it; 0: none does. A
// launch counts when it is run, which is when somebody waits for its stream.
func FailAfter(t testing.TB, n int) {
	t.Helper()
	Require(t)
	C.sweep_test_fail_after(cudaabi.Symbol("sweep_fake_fail_after"), C.long(n))
}

// Launches is how many kernels the stand-in driver has run in this process, those of graphs one by one.
func Launches(t testing.TB) int {
	t.Helper()
	Require(t)
	return int(C.sweep_test_launches(cudaabi.Symbol("sweep_fake_launches")))
}

// Races skips a test where the stand-in driver is not the one that checks for races: make cuda-races runs them on it. There a
// kernel with a race loses its context.
func Races(t testing.TB) {
	t.Helper()
	Require(t)
	switch {
	case cudaabi.Symbol("sweep_fake_races") != nil:
	case os.Getenv("SWEEP_RACES") != "":
		t.Fatal("the driver is not the one that checks for races")
	default:
		t.Skip("make cuda-races runs it on the stand-in driver that checks for races")
	}
}

// Ran tells whether the stand-in driver has run a kernel in this process.
func Ran(t testing.TB, kernel string) bool {
	t.Helper()
	Require(t)
	name := C.CString(kernel)
	defer C.free(unsafe.Pointer(name))
	return C.sweep_test_ran(cudaabi.Symbol("sweep_fake_ran"), name) != 0
}
