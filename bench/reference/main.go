// Command reference trains the reference network of bench/README.md, or a variation of it, through the engine that sweeps
// use (gather from bytes, forward, backward, optimiser), and prints the training images a second: "sweep avx2: 3400".
//
//	go run ./bench/reference -seconds 5
//	go run ./bench/reference -batch 256 -loss mse+ssim -trials 2
//
// With -roof it runs multiply-adds in registers instead, and prints GFLOP/s. With -turns it takes part in bench/compare: it
// says when it is ready, measures for as many seconds as each line of its input says, and answers "memory" with the
// greatest size that the process has had, in KiB.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"sweep/study"
	"sweep/trainer/kernel"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

// contender does work on one core.
type contender interface {
	// measure works for about that long and returns the rate.
	measure(d time.Duration) (float64, error)
}

func run(args []string, in io.Reader, out io.Writer) error {
	f := flag.NewFlagSet("reference", flag.ExitOnError)
	batch := f.Int64("batch", 64, "images in an optimiser step")
	latent := f.Int64("latent", 128, "numbers in the bottleneck")
	loss := f.String("loss", "mse", "mse, mae or mse+ssim")
	norm := f.String("norm", "none", "normalisation after each convolution: none, batch or layer")
	kernels := f.String("kernels", kernel.Best().Name(), "kernels: ref, portable, avx2")
	images := f.Int("images", 2048, "training images, generated")
	trials := f.Int("trials", 1, "trials at once, each on a core of its own")
	roof := f.Bool("roof", false, "run multiply-adds in registers instead of training")
	seconds := f.Float64("seconds", 5, "how long to measure")
	turns := f.Bool("turns", false, "take turns with others: see bench/compare")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 || *trials < 1 {
		return errors.New("it takes flags alone, and -trials is at least 1")
	}
	runtime.GOMAXPROCS(*trials)
	name := "FMA loop"
	all := make([]contender, *trials)
	for i := range all {
		if *roof {
			all[i] = loop{}
			continue
		}
		name = "sweep " + *kernels
		p := study.Params{"batch": *batch, "latent": *latent, "loss": *loss, "norm": *norm}
		t, err := newTrial(p, *kernels, *images, i+1)
		if err != nil {
			return err
		}
		all[i] = t
	}
	if !*turns {
		rate, err := together(all, time.Duration(*seconds*float64(time.Second)))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %.4g\n", name, rate)
		return nil
	}
	return takeTurns(name, all, in, out)
}

// takeTurns speaks the protocol of bench/compare.
func takeTurns(name string, all []contender, in io.Reader, out io.Writer) error {
	fmt.Fprintf(out, "ready %s\n", name)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if lines.Text() == "memory" {
			kib, err := highWater()
			if err != nil {
				return err
			}
			fmt.Fprintln(out, kib)
			continue
		}
		seconds, err := strconv.ParseFloat(lines.Text(), 64)
		if err != nil {
			return fmt.Errorf("%q is no number of seconds", lines.Text())
		}
		rate, err := together(all, time.Duration(seconds*float64(time.Second)))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%.6g\n", rate)
	}
	return nil
}

// together lets all work at the same time and adds their rates.
func together(all []contender, d time.Duration) (float64, error) {
	rates, errs := make([]float64, len(all)), make([]error, len(all))
	var group sync.WaitGroup
	for i, c := range all {
		group.Go(func() { rates[i], errs[i] = c.measure(d) })
	}
	group.Wait()
	sum := 0.0
	for _, r := range rates {
		sum += r
	}
	return sum, errors.Join(errs...)
}

// loop is the most that a core can do.
type loop struct{}

func (loop) measure(d time.Duration) (float64, error) {
	flop := 0
	begin := time.Now()
	for time.Since(begin) < d {
		n := kernel.Roof(1 << 18)
		if n == 0 {
			return 0, errors.New("this processor has no vector code of ours, so no roof to measure")
		}
		flop += n
	}
	return float64(flop) / time.Since(begin).Seconds() / 1e9, nil
}

// highWater is the greatest resident size of this process so far, in KiB (proc_pid_status(5)).
func highWater() (int, error) {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the memory that the process has taken: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, errors.New("the system does not tell how much memory a process has taken")
}
