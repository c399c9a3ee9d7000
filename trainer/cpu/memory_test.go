package cpu

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"sweep/trainer"
	"sweep/trainer/dataset"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
)

func large(change func(*trainer.Config)) trainer.Config {
	images := &dataset.Images{Height: 32, Width: 32, Channels: 3, Pixels: make([]byte, 4*32*32*3)}
	c := trainer.Config{
		Config: model.Config{
			Channels: 3, Height: 32, Width: 32, Depth: 2, Filters: []int{16, 32}, Kernel: 3, Upsample: "k2", Latent: 64,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "mse",
		},
		Batch: 4, LR: 0.001, Epochs: 1, Train: images, Validation: images,
	}
	change(&c)
	return c
}

func TestTooLargeForMemory(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*trainer.Config)
		want   string
	}{
		{"batch", func(c *trainer.Config) { c.Batch = 512 }, "lower batch or filters"},
		{"latent", func(c *trainer.Config) { c.Latent = 1024 }, "lower filters or latent"},
		{"filters", func(c *trainer.Config) { c.Filters = []int{256, 256} }, "lower filters or latent"},
		{"an array beyond a checkpoint's", func(c *trainer.Config) { c.Depth, c.Filters, c.Latent = 1, []int{512}, 4096 }, "larger than a checkpoint can hold"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := New("cpu:0", kernel.Best())
			e.Memory = 32 << 20
			err := e.Load(0, large(tt.change), nil)
			if !errors.Is(err, trainer.ErrMemory) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %q in it", err, tt.want)
			}
			// The slot stayed free.
			if err := e.Load(0, large(func(*trainer.Config) {}), nil); err != nil {
				t.Errorf("afterwards a small trial: %v", err)
			}
		})
	}
	// Without a limit only a checkpoint's bound holds.
	e := New("cpu:0", kernel.Best())
	e.Memory = 0
	if err := e.Load(0, large(func(c *trainer.Config) { c.Batch = 512 }), nil); err != nil {
		t.Error(err)
	}
	e.Clear(0)
	if err := e.Load(0, large(func(c *trainer.Config) { c.Depth, c.Filters, c.Latent = 1, []int{512}, 4096 }), nil); !errors.Is(err, trainer.ErrMemory) {
		t.Errorf("got %v", err)
	}
}

// What a trial is said to need is what it takes: not less, and not several times as much.
func TestNeedIsHonest(t *testing.T) {
	for name, change := range map[string]func(*trainer.Config){
		"weights": func(c *trainer.Config) { c.Latent = 512 },
		"batch":   func(c *trainer.Config) { c.Batch = 512 },
		// 1024 pixels look at each other: most of what it takes is their weights.
		"attention": func(c *trainer.Config) {
			c.Height, c.Width, c.Depth, c.Filters, c.Latent, c.Batch, c.Variant = 64, 64, 1, []int{4}, 4, 1, model.Attention
			c.Train = &dataset.Images{Height: 64, Width: 64, Channels: 3, Pixels: make([]byte, 4*64*64*3)}
			c.Validation = c.Train
		},
	} {
		e := New("cpu:0", kernel.Best())
		c := large(change)
		before := heap()
		if err := e.Load(0, c, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Advance(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		st, err := e.Save(0)
		if err != nil {
			t.Fatal(err)
		}
		took := heap() - before
		n := needOf(e.slot.train.Program(), e.slot.forward.Program(), e.slot.encode.Program())
		// A state without best weights, and no file's bytes yet: 5 of 17 copies are still to come.
		if said := n.batch + n.weights; took > said || took < said/2 {
			t.Errorf("%s: it takes %s, but is said to need %s", name, mebibytes(took), mebibytes(said))
		}
		runtime.KeepAlive(st)
		runtime.KeepAlive(c)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestAvailable(t *testing.T) {
	for _, tt := range []struct {
		info string
		want int64
	}{
		{"MemTotal:       16314464 kB\nMemFree:          312344 kB\nMemAvailable:    8157232 kB\nBuffers: 1 kB\n", 8157232 << 10},
		{"MemTotal: 16314464 kB\n", 0},
		{"MemAvailable: many kB\n", 0},
		{"MemAvailable: -5 kB\n", 0},
		{"MemAvailable: 99999999999999999 kB\n", 0},
		{"", 0},
	} {
		if got := available(tt.info); got != tt.want {
			t.Errorf("%q: %d, want %d", tt.info, got, tt.want)
		}
	}
	if _, err := os.Stat("/proc/meminfo"); err == nil && share() < 1<<20 {
		t.Errorf("this machine's share is %d bytes", share())
	}
}
