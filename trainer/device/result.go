//go:build gpu && linux && amd64

package device

import (
	"fmt"
	"reflect"
)

// Results of the driver that are asked for by name here.
const (
	outOfMemory = 2
	noDevice    = 100
	notReady    = 600
)

// lost are the results after which a context, and in the driver's words the process, cannot go on.
var lost = map[int]bool{
	4:   true, // DEINITIALIZED
	201: true, // INVALID_CONTEXT
	214: true, // ECC_UNCORRECTABLE
	220: true, // NVLINK_UNCORRECTABLE
	226: true, // CONTAINED
	700: true, // ILLEGAL_ADDRESS
	702: true, // LAUNCH_TIMEOUT
	709: true, // CONTEXT_IS_DESTROYED
	710: true, // ASSERT
	714: true, // HARDWARE_STACK_ERROR
	715: true, // ILLEGAL_INSTRUCTION
	716: true, // MISALIGNED_ADDRESS
	717: true, // INVALID_ADDRESS_SPACE
	718: true, // INVALID_PC
	719: true, // LAUNCH_FAILED
	805: true, // MPS_CONNECTION_FAILED
	806: true, // MPS_RPC_FAILURE
	810: true, // MPS_CLIENT_TERMINATED
	999: true, // UNKNOWN
}

// resultError is what the driver returned.
type resultError int

func (e resultError) Error() string { return resultName(int(e)) }

// Is puts the driver's results into the two classes that a caller acts on.
func (e resultError) Is(target error) bool {
	return target == ErrMemory && e == outOfMemory || target == ErrLost && lost[int(e)]
}

// code is the result behind an error of cu's, whose type cannot be named; 0: it is none.
func code(err error) int {
	if e, ok := err.(resultError); ok {
		return int(e)
	}
	if v := reflect.ValueOf(err); v.IsValid() && v.Kind() == reflect.Int {
		return int(v.Int())
	}
	return 0
}

// wrap says what was asked of the driver when it returned an error.
func wrap(err error, format string, args ...any) error {
	if c := code(err); c != 0 {
		err = resultError(c)
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}
