package cpu

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"sweep/trainer"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// holdable reports an array of weights that no checkpoint could hold: such a trial would train and then be lost.
func holdable(c model.Config) error {
	for _, w := range c.Weights() {
		n := 1
		for _, s := range w.Shape {
			if s > model.MaxValues/n {
				return fmt.Errorf("the array %s of %v numbers is larger than a checkpoint can hold (%d numbers): lower filters, latent or kernel: %w",
					w.Name, w.Shape, model.MaxValues, trainer.ErrMemory)
			}
			n *= s
		}
	}
	return nil
}

// need is what a trial takes, in bytes, data sets not counted.
type need struct {
	images  int   // of a batch
	batch   int64 // grows with the batch, or the images
	weights int64 // grows with the network
}

// copies is how often a trial's weights lie in memory: themselves, their gradients, two moments, the best and the three
// kept of the last epoch; the initial ones while they are copied, which is also what the kernels' scratch takes of them
// (see [needOf] for what it takes of images);
// and while a checkpoint is written or read, weights, best and moments once as a state and once as a file's bytes.
const copies = 8 + 1 + 2*4

// needOf is what a trial of these programs takes, of which the first trains: they share one arena and one scratch.
func needOf(programs ...*plan.Program) need {
	n := need{images: programs[0].Batch, weights: 4 * copies * int64(programs[0].Layout.Total)}
	floats, bytes, attention, pooled := 0, 0, 0, 0
	for _, p := range programs {
		floats, bytes = max(floats, p.Floats), max(bytes, p.Bytes)
		n.weights += 4 * int64(p.Folded)
		for _, s := range p.Steps {
			switch s.Kind {
			case plan.Attention, plan.AttentionGrad:
				v := p.Values[s.Dst]
				attention = max(attention, kernel.AttentionScratch(v.H*v.W, v.C))
			case plan.ConvPoolGrad:
				x := p.Values[s.Ref]
				pooled = max(pooled, kernel.ConvPoolScratch(x.H, x.W, x.C, p.Values[s.Src].C, x.Pad))
			}
		}
	}
	n.batch = 4*int64(floats) + int64(bytes) + int64(attention) + int64(pooled)
	return n
}

// within reports a need beyond limit bytes; 0 is no limit.
func (n need) within(limit int64) error {
	total := n.batch + n.weights
	if limit <= 0 || total <= limit {
		return nil
	}
	lower := "filters or latent" // what it is mostly made of
	if n.batch > n.weights {
		lower = "batch or filters"
	}
	return fmt.Errorf("it needs %s of memory, %s for batches of %d images and %s for the weights with their optimiser and checkpoint, "+
		"but this engine may take %s: lower %s: %w",
		mebibytes(total), mebibytes(n.batch), n.images, mebibytes(n.weights), mebibytes(limit), lower, trainer.ErrMemory)
}

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }

// share is this engine's part of the memory: half of what is available, the other half being for data sets, the store and
// whatever else the machine does, divided among the engines of all cores. 0: unknown.
func share() int64 {
	info, err := os.ReadFile("/proc/meminfo") // Linux alone has it
	if err != nil {
		return 0
	}
	free := available(string(info))
	// A container may be allowed less than its host has (cgroup v2; the file says "max" where it is not).
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if most, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			free = min(free, most)
		}
	}
	return free / 2 / int64(runtime.GOMAXPROCS(0))
}

// available reads the bytes of the line MemAvailable of proc_meminfo(5), an estimate of what can be had without swapping;
// 0 where there is no such line.
func available(info string) int64 {
	for line := range strings.Lines(info) {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "MemAvailable:" && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil || n < 0 || n > 1<<50 {
				return 0
			}
			return n << 10
		}
	}
	return 0
}
