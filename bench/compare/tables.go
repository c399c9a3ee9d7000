package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// flopPerImage of a training step of the reference network: 6.75 MFLOP forward, the same again for each of the two
// gradients, less the gradient of the images, which nobody needs. bench/profile counts it from the plan.
const flopPerImage = 19.4e6

// The peer of the variations, and PyTorch's way to run a step without any further word.
const (
	olderPyTorch = "the older PyTorch"
	asItComes    = "eager"
)

// peer is a program to compare with.
type peer struct{ key, interpreter, script string }

// peerPrograms are the older PyTorch, then the newest peers.
func (b *bench) peerPrograms() []peer {
	list := []peer{{olderPyTorch, b.torch, "torch_peer.py"}}
	if b.peers == "" {
		return list
	}
	for _, p := range []peer{{"PyTorch", "torch", "torch_peer.py"}, {"TensorFlow", "tf", "keras_peer.py"}, {"JAX", "jax", "jax_peer.py"}} {
		p.interpreter = filepath.Join(b.peers, p.interpreter, "bin", "python")
		list = append(list, p)
	}
	return list
}

func (p peer) line(args ...string) []string {
	return append([]string{filepath.Join("bench", p.script)}, args...)
}

// reference is the table of the reference network with all peers.
func (b *bench) reference() error {
	fmt.Printf("\n### The reference network, one core, images/s\n")
	loop, err := b.start(true, b.ours, "-turns", "-roof")
	if err != nil {
		return err
	}
	ours, err := b.start(true, b.ours, "-turns")
	if err != nil {
		return err
	}
	all := []*contender{loop, ours}
	if b.peers == "" {
		fmt.Printf("\nNo folder of peers is named (-peers), so the newest PyTorch, TensorFlow and JAX are left out.\n")
	}
	for _, p := range b.peerPrograms() {
		c, err := b.start(true, p.interpreter, p.line()...)
		if err != nil {
			fmt.Printf("\n%s is left out: %v\n", p.key, err)
			continue
		}
		b.modes[p.key] = c.mode
		all = append(all, c)
		if p.key == olderPyTorch && c.mode != asItComes { // the figure that everybody else gets
			plain, err := b.start(true, p.interpreter, p.line("--mode", asItComes)...)
			if err != nil {
				return err
			}
			all = append(all, plain)
		}
	}
	rates, err := race(all, b.rounds, b.seconds)
	if err != nil {
		return err
	}
	fmt.Printf("\n| what | median of %d (range) | sweep is so many times as fast |\n| --- | --- | --- |\n", b.rounds)
	fmt.Printf("| %s, GFLOP/s | %s | |\n", loop.name, told("%.1f", rates[0]))
	fmt.Printf("| %s | %s | |\n", ours.name, told("%.0f", rates[1]))
	for i, c := range all[2:] {
		name := c.name
		if c.mode != "" {
			name += ", " + c.mode
		}
		fmt.Printf("| %s | %s | %s |\n", name, told("%.0f", rates[2+i]), told("%.2f", over(rates[1], rates[2+i])))
	}
	fmt.Printf("\nShare of the FMA loop, products counted as they are defined: %s %%.\n", told("%.0f", times(100*flopPerImage/1e9, over(rates[1], rates[0]))))
	for _, c := range all {
		if c.note != "" {
			fmt.Printf("%s, each way tried for a moment: %s.\n", c.name, c.note)
		}
	}
	return stopAll(all)
}

// variation of the reference network: the flags of bench/reference, and with another dash those of the peer.
type variation struct{ name, flag, value string }

// variations is the table of variations beside the older PyTorch.
func (b *bench) variations() error {
	fmt.Printf("\n### Variations, one core, images/s\n\n")
	rounds := max(1, (b.rounds+1)/2)
	p := b.peerPrograms()[0]
	header := false
	for _, v := range []variation{
		{"batch 32", "batch", "32"},
		{"batch 256", "batch", "256"},
		{"latent 64", "latent", "64"},
		{"latent 512", "latent", "512"},
		{"norm batch", "norm", "batch"},
		{"loss mse+ssim", "loss", "mse+ssim"},
	} {
		ours, err := b.start(true, b.ours, "-turns", "-"+v.flag, v.value)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		theirs, err := b.start(true, p.interpreter, p.line("--"+v.flag, v.value)...)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
		rates, err := race([]*contender{ours, theirs}, rounds, b.seconds/2)
		if err != nil {
			return err
		}
		if !header {
			header = true
			fmt.Printf("| variation, median of %d (range) | %s | %s | ratio | its way |\n| --- | --- | --- | --- | --- |\n", rounds, ours.name, theirs.name)
		}
		fmt.Printf("| %s | %s | %s | %s | %s |\n", v.name, told("%.0f", rates[0]), told("%.0f", rates[1]), told("%.2f", over(rates[0], rates[1])), theirs.mode)
		if err := stopAll([]*contender{ours, theirs}); err != nil {
			return err
		}
	}
	return nil
}

// scaling is what a second core brings to trials and to loops of multiply-adds.
func (b *bench) scaling() error {
	fmt.Printf("\n### Two trials on two cores\n\n")
	var all []*contender
	for _, args := range [][]string{{"-trials", "1"}, {"-trials", "2"}, {"-roof", "-trials", "1"}, {"-roof", "-trials", "2"}} {
		c, err := b.start(false, b.ours, append([]string{"-turns"}, args...)...)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	rates, err := race(all, b.rounds, b.seconds/2)
	if err != nil {
		return err
	}
	trials, loops := over(rates[1], rates[0]), over(rates[3], rates[2])
	fmt.Printf("| two over one, median of %d (range) | |\n| --- | --- |\n", b.rounds)
	fmt.Printf("| trials, images/s | %s |\n", told("%.3f", trials))
	fmt.Printf("| FMA loops, GFLOP/s | %s |\n", told("%.3f", loops))
	fmt.Printf("| trials over FMA loops | %s |\n", told("%.3f", over(trials, loops)))
	return stopAll(all)
}

// memory is how large each process becomes with one trial of the reference network and 2,048 images. The peers run the
// one way that was the fastest (the older PyTorch as it comes where no table before has told).
func (b *bench) memory() error {
	fmt.Printf("\n### Memory of a process with one trial, 2,048 images\n\n| process | MiB | sweep takes of it |\n| --- | --- | --- |\n")
	var missing []string
	measure := func(program string, args ...string) (*contender, float64, error) {
		c, err := b.start(true, program, args...)
		if err != nil {
			return nil, 0, err
		}
		if _, err := c.say(strconv.Itoa(1)); err != nil {
			return nil, 0, err
		}
		kib, err := c.say("memory")
		if err != nil {
			return nil, 0, err
		}
		return c, kib / 1024, c.stop()
	}
	c, ours, err := measure(b.ours, "-turns")
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %.0f | |\n", c.name, ours)
	for _, p := range b.peerPrograms() {
		mode := b.modes[p.key]
		if mode == "" {
			if p.script != "torch_peer.py" {
				continue
			}
			mode = asItComes
		}
		c, mib, err := measure(p.interpreter, p.line("--mode", mode)...)
		if err != nil {
			missing = append(missing, fmt.Sprintf("\n%s is left out: %v\n", p.key, err))
			continue
		}
		fmt.Printf("| %s, %s | %.0f | %.2f |\n", c.name, mode, mib, ours/mib)
	}
	fmt.Print(strings.Join(missing, ""))
	return nil
}

// steps is the profile of a step.
func (b *bench) steps() error {
	fmt.Printf("\n### One step of the reference network\n\n")
	line := append(append([]string(nil), b.pin...), b.profile)
	c := exec.Command(line[0], line[1:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}
