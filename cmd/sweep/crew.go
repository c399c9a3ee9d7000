package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"

	"sweep/study"
	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/cpu"
	"sweep/trainer/device"
	"sweep/trainer/gpu"
	"sweep/trainer/kernel"
)

// choice is where a sweep is trained: GPUs, and cores by name.
type choice struct {
	gpus   []device.Info
	cores  []string
	single bool // the cores were named one by one
	// spare cores take only what no GPU can train.
	spare bool
}

// machine is what can be chosen from.
type machine struct {
	gpus   []device.Info
	cores  int
	status device.Status
}

// here is this machine, for what [spec.Devices] gives. A driver takes a second and may be broken: where cores alone are
// named it is not asked.
func here(names []string) machine {
	if len(names) > 0 && !slices.ContainsFunc(names, func(s string) bool { return s != "cpu" && !strings.HasPrefix(s, "cpu:") }) {
		return machine{cores: runtime.GOMAXPROCS(0)}
	}
	return machine{gpus: device.GPUs(), cores: runtime.GOMAXPROCS(0), status: device.CUDA()}
}

// choose finds devices by the names that [spec.Devices] gives. Without any it takes all GPUs, with the cores for what
// these cannot train, or all cores where there is no GPU. Beside GPUs one core is left to drive them. The error says what
// there is.
func (m machine) choose(names []string) (choice, error) {
	if len(names) == 0 {
		if len(m.gpus) == 0 {
			return choice{cores: coreNames(m.cores)}, nil
		}
		return choice{gpus: m.gpus, cores: coreNames(max(1, m.cores-1)), spare: true}, nil
	}
	var c choice
	for _, name := range names {
		switch {
		case name == "cpu":
			c.cores = coreNames(m.cores)
		case strings.HasPrefix(name, "cpu:"):
			if !slices.Contains(coreNames(m.cores), name) {
				return c, fmt.Errorf("there is no core %s: this machine has cpu:0 to cpu:%d, `sweep devices` lists them", name, m.cores-1)
			}
			c.cores, c.single = append(c.cores, name), true
		default:
			found, err := m.gpu(name)
			if err != nil {
				return c, err
			}
			for _, g := range found {
				if !slices.ContainsFunc(c.gpus, func(o device.Info) bool { return o.ID == g.ID }) {
					c.gpus = append(c.gpus, g)
				}
			}
		}
	}
	if len(c.gpus) > 0 && slices.Contains(names, "cpu") {
		c.cores = coreNames(max(1, m.cores-1))
	}
	return c, nil
}

// notes are what a sweep asks of the chosen devices in vain.
func (c choice) notes(s study.Spec) []string {
	if len(c.gpus) == 0 && s.Precision != "" {
		return []string{fmt.Sprintf("precision %s is for GPUs, and there is none among the devices: cores compute in fp32", s.Precision)}
	}
	return nil
}

// gpu finds the GPUs of a name, all of them for "cuda".
func (m machine) gpu(name string) ([]device.Info, error) {
	if len(m.gpus) == 0 {
		why := m.status.Reason
		if why == "" {
			why = "there is no GPU that it may use"
		}
		return nil, fmt.Errorf("no GPU can be used: %s (cores train with --devices cpu)", why)
	}
	if name == "cuda" {
		return m.gpus, nil
	}
	var list []string
	which := strings.TrimPrefix(name, "cuda:")
	for i, g := range m.gpus {
		// A part of a GPU has no number of its own: its place among those the driver shows is one.
		if g.ID == name || g.UUID == which || strings.HasPrefix(g.UUID, "MIG-") && which == fmt.Sprint(i) {
			return []device.Info{g}, nil
		}
		list = append(list, fmt.Sprintf("%s (%s)", g.ID, g.Name))
	}
	if strings.HasPrefix(which, "MIG-") || strings.HasPrefix(which, "GPU-") {
		return nil, fmt.Errorf("the driver shows this process no %s but %s: start with CUDA_VISIBLE_DEVICES=%[1]s", which, strings.Join(list, ", "))
	}
	if m.status.Others != "" {
		list = append(list, "and what cannot be used, "+m.status.Others)
	}
	return nil, fmt.Errorf("there is no GPU %s: the driver shows %s, `sweep devices` lists them", name, strings.Join(list, ", "))
}

// coreNames are the first n cores.
func coreNames(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("cpu:%d", i)
	}
	return out
}

// share divides so many trials at once among a choice's devices: slots of each GPU, as many as there is room for, then
// cores; workers 0: as many as there is room for. Where GPUs take all of them and there are cores, one stays for what GPUs
// cannot train, or such a trial would wait for ever. It gives the slots, and the choice with the cores that are left of it.
func (c choice) share(workers int, room []int) ([]int, choice) {
	if workers <= 0 {
		return room, c
	}
	if len(c.gpus) == 0 {
		// More than there are cores, too, unless these were named.
		for i := len(c.cores); i < workers && !c.single; i++ {
			c.cores = append(c.cores[:i:i], fmt.Sprintf("cpu:%d", i))
		}
		c.cores = c.cores[:min(workers, len(c.cores))]
		return nil, c
	}
	slots, left := make([]int, len(c.gpus)), workers
	for again := true; again && left > 0; {
		again = false
		for i := range slots {
			if left > 0 && slots[i] < room[i] {
				slots[i]++
				left--
				again = true
			}
		}
	}
	c.spare = c.spare || left == 0
	c.cores = c.cores[:min(max(1, left), len(c.cores))]
	return slots, c
}

// crew is what trains a study.
type crew struct {
	engines, reserved []trainer.Engine
	reopen            func(trainer.Engine) (trainer.Engine, error)
	gpus              []device.Info
	mixed             bool   // there are cores beside GPUs
	note              string // what they are, in a line; empty for cores alone
}

// openGPUs opens a choice's GPUs, and tells how many trials of a sweep each has room for. The caller closes them.
func (c choice) openGPUs(s study.Spec, j *judge) ([]device.GPU, []int, error) {
	var opened []device.GPU
	var room []int
	for _, info := range c.gpus {
		g, err := device.Open(info.ID)
		if err != nil {
			closeGPUs(opened)
			return nil, nil, err
		}
		opened = append(opened, g)
		n, err := fitting(g, s, j)
		if err != nil {
			closeGPUs(opened)
			return nil, nil, err
		}
		room = append(room, n)
	}
	return opened, room, nil
}

func closeGPUs(list []device.GPU) {
	for _, g := range list {
		g.Close() //nolint:errcheck // nothing is left on it, or another error counts
	}
}

// open makes the engines of a choice for a sweep.
func (c choice) open(s study.Spec, j *judge) (*crew, error) {
	out := &crew{}
	opened, room, err := c.openGPUs(s, j)
	if err != nil {
		return nil, err
	}
	slots, c := c.share(s.Workers, room)
	makes := map[string]func(device.GPU) (trainer.Engine, error){}
	var notes []string
	for i, g := range opened {
		id := g.Info().ID
		if slots[i] == 0 {
			g.Close() //nolint:errcheck // it is not needed
			continue
		}
		makes[id] = func(g device.GPU) (trainer.Engine, error) {
			e, err := gpu.New(g, gpu.Options{Slots: slots[i], Precision: s.Precision})
			if err != nil {
				g.Close() //nolint:errcheck // the first error counts
				return nil, err
			}
			return e, nil
		}
		e, err := makes[id](g)
		if err != nil {
			closeEngines(out.engines)
			closeGPUs(opened[i+1:])
			return nil, err
		}
		out.engines, out.gpus = append(out.engines, e), append(out.gpus, c.gpus[i])
		notes = append(notes, fmt.Sprintf("%s (%s, %s)", id, hardware(e), plural(slots[i], "trial", "at once")))
	}
	for _, name := range c.cores {
		e := cpu.New(name, kernel.Best())
		if c.spare {
			out.reserved = append(out.reserved, e)
		} else {
			out.engines = append(out.engines, e)
		}
	}
	out.mixed = len(out.gpus) > 0 && len(c.cores) > 0
	out.reopen = func(lost trainer.Engine) (trainer.Engine, error) {
		id := lost.Device()
		makeOne, ok := makes[id]
		if !ok {
			return nil, fmt.Errorf("%s is a core", id)
		}
		g, err := device.Open(id)
		if err != nil {
			return nil, err
		}
		return makeOne(g)
	}
	if len(out.gpus) > 0 {
		switch {
		case c.spare && len(c.cores) > 0:
			notes = append(notes, plural(len(c.cores), "core", "for what a GPU cannot train"))
		case len(c.cores) > 0:
			notes = append(notes, plural(len(c.cores), "core", ""))
		}
		out.note = "training on " + strings.Join(notes, ", ") + "; the GPU path is not yet measured on hardware"
	}
	return out, nil
}

// hardware is what an engine says of its device.
func hardware(e trainer.Engine) string {
	if h, ok := e.(trainer.Hardware); ok {
		return h.Hardware()
	}
	return e.Device()
}

func plural(n int, noun, rest string) string {
	if n != 1 {
		noun += "s"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", n, noun, rest))
}

// fitting is how many trials of a sweep a GPU has memory for at once: as many of its largest configuration as what is free
// holds beside the images.
func fitting(g device.GPU, s study.Spec, j *judge) (int, error) {
	free, total, err := g.Memory()
	if err != nil {
		return 0, err
	}
	precision := s.Precision
	if precision == "" {
		precision = spec.Precisions[0]
	}
	c, need, err := j.largest(precision)
	if err != nil || need <= 0 {
		return 1, nil // such a trial says itself what is wrong with it
	}
	images := int64(c.Height) * int64(c.Width) * int64(c.Channels) * int64(s.Data.Train+s.Data.Validation)
	n := (free - free/10 - images) / need
	if n < 1 {
		return 0, fmt.Errorf("%s has %s of its %s free, and the largest configuration of this sweep (batch %d, latent %d, filters %v) needs %s beside %s of images: "+
			"lower batch, filters or latent, free the GPU, or train on cores with --devices cpu",
			g.Info().ID, size(free), size(total), c.Batch, c.Latent, c.Filters[:min(c.Depth, len(c.Filters))], size(need), size(images))
	}
	return int(min(n, device.MaxSlots)), nil
}

func (c *crew) close() {
	closeEngines(c.engines)
	closeEngines(c.reserved)
}
