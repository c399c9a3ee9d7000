package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// hostHeader is read by the host's compiler alone: PTX does not depend on it.
const hostHeader = "host.h"

// sumsName is the file beside the PTX that says what each was compiled of.
const sumsName = "SUMS"

// precisions in the order of PRECISION in sweep.cuh.
var precisions = []string{"fp32", "tf32", "bf16"}

// flags are the compiler's, without files and precision. Contraction is off, so that the device adds and multiplies as the
// CPU does; sm_80 is the oldest architecture with tensor cores for tf32 and bfloat16, and newer ones run its code too.
var flags = []string{
	"-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_80", "-nocudainc", "-nocudalib", "-fdeclspec", "-std=c++17",
	"-O3", "-ffp-contract=off", "-S",
}

// entry is a line of SUMS.
type entry struct {
	module, precision string
	source            string // SHA-256 of what it was compiled of
	ptx               string // SHA-256 of the PTX before packing
}

func (e entry) file() string { return e.module + "." + e.precision + ".ptx.zst" }

// modules are the .cu files of a folder, without the ending, in order.
func modules(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.cu"))
	if err != nil {
		return nil, err
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(filepath.Base(n), ".cu")
	}
	slices.Sort(names)
	return names, nil
}

var include = regexp.MustCompile(`(?m)^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"`)

// sourceSum is the SHA-256 of a module's file, of every file that it includes, directly or not, of the compiler's flags and
// of its version. It holds names of files, but not where they lie.
func sourceSum(dir, module, compiler string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", compiler, strings.Join(flags, " "))
	seen := map[string]bool{hostHeader: true}
	var add func(name string) error
	add = func(name string) error {
		if seen[name] {
			return nil
		}
		seen[name] = true
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n", name, len(text))
		h.Write(text)
		for _, m := range include.FindAllSubmatch(text, -1) {
			if err := add(string(m[1])); err != nil {
				return fmt.Errorf("%s includes %w", name, err)
			}
		}
		return nil
	}
	if err := add(module + ".cu"); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sums reads SUMS: the compiler's version and the entries by name of file. A folder without one has no entries.
func sums(folder string) (compiler string, entries map[string]entry, err error) {
	entries = map[string]entry{}
	text, err := os.ReadFile(filepath.Join(folder, sumsName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", entries, nil
	}
	if err != nil {
		return "", nil, err
	}
	for n, s := 1, bufio.NewScanner(bytes.NewReader(text)); s.Scan(); n++ {
		line := s.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		if c, ok := strings.CutPrefix(line, "compiler "); ok {
			compiler = c
			continue
		}
		f := strings.Fields(line)
		if len(f) != 4 {
			return "", nil, fmt.Errorf("%s: line %d is not: module precision source ptx", sumsName, n)
		}
		e := entry{f[0], f[1], f[2], f[3]}
		entries[e.file()] = e
	}
	return compiler, entries, nil
}

func writeSums(folder, compiler string, list []entry) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Written by make kernels: module, precision, SHA-256 of its source and of the PTX.\ncompiler %s\n", compiler)
	for _, e := range list {
		fmt.Fprintf(&b, "%s %s %s %s\n", e.module, e.precision, e.source, e.ptx)
	}
	return os.WriteFile(filepath.Join(folder, sumsName), b.Bytes(), 0o644)
}
