//go:build gpu

package gpu

import (
	"strconv"
	"strings"
	"testing"

	"sweep/trainer/device/devicetest"
	"sweep/trainer/kernel/cuda"
	"sweep/trainer/model"
)

// laned are small stacks that every product of matrices on tensor cores is in, with rows, columns and sums of more than a tile.
var laned = []stack{
	{"pooled", [][2]int{{40, 3}, {7, 33}, {3, 1}}, func(c *model.Config) {
		c.Channels, c.Height, c.Width, c.Depth, c.Filters = 8, 16, 16, 4, []int{16, 32, 72, 40}
	}},
	{"batch norm, k3", [][2]int{{70, 2}, {7, 33}, {3, 1}}, func(c *model.Config) {
		c.Channels, c.Height, c.Width, c.Depth, c.Filters, c.Norm, c.Upsample = 8, 16, 16, 4, []int{16, 32, 72, 40}, "batch", "k3"
	}},
}

// TestLanes compares products of matrices that the stand-in makes by the instructions of a GPU's tensor cores, lane by lane. In
// one network the lanes of a warp run first to last and in the other last to first: one that does not wait for what another
// writes is too early in one of them at least. It is to reach every kernel that has such an instruction.
func TestLanes(t *testing.T) {
	devicetest.Require(t)
	t.Setenv("SWEEP_FAKE_LANES", "1")
	precisions := []string{"tf32", "bf16"}
	reached := map[string]bool{}
	for _, p := range precisions {
		for _, m := range cuda.Modules() {
			text, err := cuda.PTX(m, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range strings.Split(string(text), ".entry ")[1:] {
				if name, body, _ := strings.Cut(entry, "("); strings.Contains(body, "mma.sync") {
					reached[name] = false
				}
			}
		}
	}
	if len(reached) == 0 {
		t.Fatal("no kernel has an instruction of tensor cores")
	}
	gpu := open(t)
	for i := range laned {
		t.Setenv("SWEEP_FAKE_REVERSE", strconv.Itoa(i%2))
		testSteps(t, gpu, laned[i:i+1], precisions, func(b *bench, last *step) bool {
			list, err := last.of(b.class)
			b.check(err)
			wanted := false
			for _, l := range list {
				name := l.Kernel + "_" + b.code.precision
				if _, ok := reached[name]; ok {
					reached[name], wanted = true, true
				}
			}
			return wanted
		})
	}
	for name, ok := range reached {
		if !ok {
			t.Errorf("no step of these networks takes %s", name)
		}
	}
}
