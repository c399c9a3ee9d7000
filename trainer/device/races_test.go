//go:build gpu && linux && amd64

package device_test

import (
	"errors"
	"testing"

	"sweep/trainer/device"
	"sweep/trainer/device/devicetest"
)

// TestRaces is of what the stand-in driver calls a race, and of what it does not.
func TestRaces(t *testing.T) {
	devicetest.Races(t)
	for _, c := range []struct {
		kernel  string
		blocks  int
		threads int
		race    bool
	}{
		{"probe_sum", 2, 128, false},
		{"probe_race", 1, 128, true},
		{"probe_blocks", 1, 32, false},
		{"probe_blocks", 2, 32, true},
		{"probe_own", 3, 32, false},
		{"probe_across", 1, 32, false},
		{"probe_across", 2, 32, true},
		{"probe_flag", 3, 32, false},
		{"probe_bytes", 3, 32, false},
		{"probe_byte_race", 1, 32, true},
		{"probe_device", 1, 64, false},
		{"probe_device", 2, 64, true}, // each reads what both write
		{"probe_device_race", 1, 64, true},
		{"probe_overwritten", 1, 64, true},
		{"probe_warp", 1, 64, false},
		{"probe_warp_race", 1, 64, true},
		{"probe_warps", 1, 64, true},
		{"probe_line", 1, 64, false},
		{"probe_line_race", 1, 64, true},
	} {
		t.Run(c.kernel, func(t *testing.T) {
			for _, reverse := range []string{"0", "1"} {
				t.Setenv("SWEEP_FAKE_REVERSE", reverse)
				b := newBench(t, devicetest.Open(t, "cuda:0"))
				in, out := b.upload(count(256)...), b.alloc(4*512)
				err := b.launch(c.kernel+"_fp32", out, in, 256, c.blocks, c.threads)
				if c.race != errors.Is(err, device.ErrLost) || !c.race && err != nil {
					t.Errorf("with %d blocks, reverse=%s: %v, want a race: %v", c.blocks, reverse, err, c.race)
				}
			}
		})
	}
}
