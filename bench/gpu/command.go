package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// command runs a program in a folder, with what it prints in a file of the folder logs, and returns that. A program that is
// ended gets a moment to end its own.
func (b *bench) command(ctx context.Context, log, dir string, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	var said bytes.Buffer
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), env...), &said, &said
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 5 * time.Second
	err := c.Run()
	if ctx.Err() != nil && c.Process != nil {
		syscall.Kill(-c.Process.Pid, syscall.SIGKILL) //nolint:errcheck // what is left of the group, if anything
	}
	text := said.String()
	if werr := os.WriteFile(filepath.Join(b.out, "logs", fileName(log)+".log"), said.Bytes(), 0o644); err == nil {
		err = werr
	}
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", filepath.Base(name), err, lastLines(text, 3))
	}
	return text, nil
}

// lastLines are the last lines of a text that are not empty, in one.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}

// python finds an interpreter that has PyTorch: $SWEEP_TORCH, or the first of the path. It looks once, as an import takes
// seconds.
func (b *bench) python(ctx context.Context) (string, error) {
	if b.torch != "" {
		return b.torch, nil
	}
	tried := []string{}
	for _, name := range []string{os.Getenv("SWEEP_TORCH"), "python3", "python"} {
		if name == "" {
			continue
		}
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if _, err := b.command(ctx, "python", b.out, nil, path, "-c", "import torch"); err == nil {
			b.torch = path
			return path, nil
		} else if ctx.Err() != nil {
			return "", err
		}
		tried = append(tried, path)
	}
	if len(tried) == 0 {
		return "", fmt.Errorf("%w: there is no python3 here; SWEEP_TORCH names one with PyTorch", errLeftOut)
	}
	return "", fmt.Errorf("%w: no PyTorch in %s; SWEEP_TORCH names a python that has it", errLeftOut, strings.Join(tried, ", "))
}

// tests runs a test program's tests by name, perhaps under another program, and says how many passed. Of those that are ended
// before their end it keeps which tests, and parts of tests, have passed: the next time these are not done again. Under another
// program, which may have found something in them that it had no time to say, all are.
func (b *bench) tests(ctx context.Context, log, program, pattern string, under ...string) (string, error) {
	binary := b.path("bin", "tests", program)
	if _, err := os.Stat(binary); err != nil {
		return "", err
	}
	names, err := b.command(ctx, log, b.out, nil, binary, "-test.list", firstPart(pattern))
	if err != nil {
		return "", err
	}
	if !strings.Contains(names, "Test") {
		return "", fmt.Errorf("%s has no test that %s finds", program, pattern)
	}
	file := filepath.Join(b.out, "logs", fileName(log)+".passed.json")
	var before []string
	if err := readJSON(file, &before); b.again || err != nil {
		before = nil
	}
	// In this form, which tools read, each line is printed as soon as its test has ended, behind a marker.
	args := append(append([]string{}, under...), binary, "-test.v=test2json", "-test.run", pattern)
	if len(before) > 0 {
		args = append(args, "-test.skip", exactly(before))
	}
	if end, ok := ctx.Deadline(); ok {
		args = append(args, "-test.timeout", fmt.Sprint(time.Until(end).Round(time.Second)+time.Minute))
	}
	text, err := b.command(ctx, log, b.out, nil, args[0], args[1:]...)
	if err != nil && ctx.Err() != nil && len(under) == 0 {
		now := append(before, passedParts(text)...)
		detail := fmt.Sprintf("parts that have passed, and are not done again: %d", len(now))
		if bad := strings.Count(text, "--- FAIL"); bad > 0 {
			err = fmt.Errorf("%w: %d failed before the end; %s", errFailed, bad, detail)
		}
		return detail, errors.Join(err, writeJSON(file, now))
	}
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	good, bad, skipped := strings.Count(text, "--- PASS"), strings.Count(text, "--- FAIL"), strings.Count(text, "--- SKIP")
	counts := fmt.Sprintf("%d passed, %d failed, %d skipped", good, bad, skipped)
	if len(before) > 0 {
		counts += fmt.Sprintf("; parts passed before: %d", len(before))
	}
	switch {
	case err != nil && len(under) > 0 && strings.Contains(text, "Device not supported"):
		return "", fmt.Errorf("%w: %s says that it does not support this device", errLeftOut, filepath.Base(under[0]))
	case err != nil:
		return "", errors.New(strings.ReplaceAll(fmt.Sprintf("%s: %v", counts, err), "\x16", ""))
	case good == 0 && skipped > 0:
		return "", fmt.Errorf("%w: %s: they need a GPU, or the stand-in driver", errLeftOut, counts)
	case good == 0:
		return "", errors.New(counts + ": nothing was tested")
	}
	return counts, nil
}

var passedLine = regexp.MustCompile(`(?m)^\x16?\s*--- PASS: (\S+) \(`)

// passedParts names the tests, and the parts of tests, that passed according to what a test program has printed; not parts of
// parts.
func passedParts(text string) []string {
	var list []string
	for _, m := range passedLine.FindAllStringSubmatch(text, -1) {
		if strings.Count(m[1], "/") <= 1 {
			list = append(list, m[1])
		}
	}
	return list
}

// exactly is a pattern for tests, and parts of tests, of these names.
func exactly(names []string) string {
	var list []string
	for _, name := range names {
		parts := strings.Split(name, "/")
		for i, p := range parts {
			parts[i] = "^" + regexp.QuoteMeta(p) + "$"
		}
		list = append(list, strings.Join(parts, "/"))
	}
	return strings.Join(list, "|")
}

// firstPart is what of a pattern is for tests, not for parts of them.
func firstPart(pattern string) string {
	first, _, _ := strings.Cut(pattern, "/")
	return first
}
