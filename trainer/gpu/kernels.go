package gpu

import (
	"fmt"
	"sync"

	"sweep/trainer/device"
	"sweep/trainer/kernel/cuda"
)

// code finds the functions of one precision on a device. It is safe for concurrent use.
type code struct {
	gpu       device.GPU
	precision string
	ptx       func(module, precision string) ([]byte, error)

	mu        sync.Mutex
	modules   map[string]device.Module
	functions map[string]device.Function
}

func newCode(gpu device.GPU, precision string) *code {
	return &code{
		gpu: gpu, precision: precision, ptx: cuda.PTX,
		modules: map[string]device.Module{}, functions: map[string]device.Function{},
	}
}

// function is the kernel of a launch.
func (c *code) function(l cuda.Launch) (device.Function, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := l.Kernel + "_" + c.precision
	key := fmt.Sprintf("%s/%s/%d", l.Module, name, l.Shared)
	if f, ok := c.functions[key]; ok {
		return f, nil
	}
	m, ok := c.modules[l.Module]
	if !ok {
		text, err := c.ptx(l.Module, c.precision)
		if err != nil {
			return nil, err
		}
		if m, err = c.gpu.Module(text); err != nil {
			return nil, fmt.Errorf("load the GPU code of %s: %w", l.Module, err)
		}
		c.modules[l.Module] = m
	}
	f, err := m.Function(name, l.Shared)
	if err != nil {
		return nil, fmt.Errorf("find the kernel %s of %s: %w", name, l.Module, err)
	}
	c.functions[key] = f
	return f, nil
}

// class is what the grids of a sequence of launches are made for: no slot and no list may exceed it.
type class struct {
	tiles, slots           int
	latent, batch, trained int
}

// of are the kernels of a step in grids of a class.
func (s *step) of(k class) ([]cuda.Launch, error) {
	g := s.geometry
	g.MaxLatent, g.MaxBatch, g.MaxTrained = k.latent, k.batch, k.trained
	list, ok := cuda.Launches(g)
	if !ok {
		return nil, fmt.Errorf("there is no kernel for the step %s", s.kind)
	}
	return list, nil
}

// ready loads the kernels of a step.
func (c *code) ready(s *step, k class) error {
	list, err := s.of(k)
	if err != nil {
		return err
	}
	for _, l := range list {
		if _, err := c.function(l); err != nil {
			return err
		}
	}
	return nil
}

// launches puts a step into a stream: task is where its table lies.
func (c *code) launches(to device.Stream, s *step, task device.Address, k class) error {
	list, err := s.of(k)
	if err != nil {
		return err
	}
	for _, l := range list {
		f, err := c.function(l)
		if err != nil {
			return err
		}
		y := k.tiles
		if l.Over == cuda.Slots {
			y = k.slots
		}
		if err := to.Launch(device.Launch{Function: f, X: l.X, Y: y, Threads: l.Threads, Shared: l.Shared, Argument: task}); err != nil {
			return fmt.Errorf("launch %s: %w", l.Kernel, err)
		}
	}
	return nil
}

// precisions are those that there is code for.
var precisions = []string{"fp32", "tf32", "bf16"}

// valueBytes is what a number of a value takes.
func valueBytes(precision string) int {
	if precision == "bf16" {
		return 2
	}
	return 4
}
