//go:build gpu && linux && amd64

package main

import "sweep/trainer/device/cudaabi"

// symbols lists the driver's functions that this program may call, and whether the driver has them; nil without a driver.
func symbols() map[string]bool {
	if cudaabi.Load().Path == "" {
		return nil
	}
	return cudaabi.Functions()
}
