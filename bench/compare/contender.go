package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// contender is a running program that takes turns: it says "ready NAME\tMODE\tNOTE", and answers each line, a number of
// seconds to work for, with a rate, and "memory" with the KiB that it has taken at most.
type contender struct {
	name, mode, note string

	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// starting is how long a program may take until it is ready: compilers of graphs are slow.
const starting = 5 * time.Minute

// start runs a program, held to one core if pinned.
func (b *bench) start(pinned bool, program string, args ...string) (*contender, error) {
	line := append([]string{program}, args...)
	if pinned {
		line = append(append([]string(nil), b.pin...), line...)
	}
	c := &contender{command: exec.Command(line[0], line[1:]...)}
	var said strings.Builder
	c.command.Stderr = &said
	c.command.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1")
	in, err := c.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.in, c.out = in, bufio.NewReader(out)
	if err := c.command.Start(); err != nil {
		return nil, err
	}
	late := time.AfterFunc(starting, func() { _ = c.command.Process.Kill() })
	defer late.Stop()
	for {
		text, err := c.out.ReadString('\n')
		if ready, ok := strings.CutPrefix(strings.TrimSpace(text), "ready "); ok {
			fields := append(strings.Split(ready, "\t"), "", "")
			c.name, c.mode, c.note = fields[0], fields[1], fields[2]
			return c, nil
		}
		if err != nil {
			_ = c.command.Wait()
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			return nil, fmt.Errorf("%s did not get ready: %s", strings.Join(line, " "), lines[len(lines)-1])
		}
	}
}

// say sends a line and reads the number that answers it.
func (c *contender) say(line string) (float64, error) {
	if _, err := fmt.Fprintln(c.in, line); err != nil {
		return 0, fmt.Errorf("%s: %w", c.name, err)
	}
	text, err := c.out.ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("%s ended: %w", c.name, err)
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fmt.Errorf("%s answered %q", c.name, text)
	}
	return v, nil
}

// stop ends the program.
func (c *contender) stop() error { return errors.Join(c.in.Close(), c.command.Wait()) }

func stopAll(all []*contender) error {
	var errs []error
	for _, c := range all {
		errs = append(errs, c.stop())
	}
	return errors.Join(errs...)
}

// race lets all take turns and returns what each reached, by round. Each round begins with the next one.
func race(all []*contender, rounds int, seconds float64) ([][]float64, error) {
	rates := make([][]float64, len(all))
	for r := range rounds {
		for i := range all {
			i = (i + r) % len(all)
			v, err := all[i].say(strconv.FormatFloat(seconds, 'f', -1, 64))
			if err != nil {
				return nil, err
			}
			rates[i] = append(rates[i], v)
		}
	}
	return rates, nil
}
