package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

var version = regexp.MustCompile(`clang version (\d+\.\d+\.\d+)`)

// compilerVersion is "clang 16.0.6": the version without the distribution's own count, which changes without the code.
func compilerVersion(ctx context.Context, clang string) (string, error) {
	out, err := exec.CommandContext(ctx, clang, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the compiler's version: %w (Debian's package is clang-16)", err)
	}
	m := version.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s does not say its version: %.80q", clang, out)
	}
	return "clang " + string(m[1]), nil
}

// compile brings dir/ptx up to date: compiles what has changed or lacks, and removes what has no source any more.
func compile(ctx context.Context, dir, clang string, all bool) error {
	compiler, err := compilerVersion(ctx, clang)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, "ptx")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	_, old, err := sums(folder)
	if err != nil {
		return err
	}
	names, err := modules(dir)
	if err != nil {
		return err
	}
	var list []entry
	for _, m := range names {
		source, err := sourceSum(dir, m, compiler)
		if err != nil {
			return err
		}
		for _, p := range precisions {
			list = append(list, entry{module: m, precision: p, source: source})
		}
	}
	made := 0
	err = each(len(list), func(i int) error {
		e := &list[i]
		was, ok := old[e.file()]
		if _, err := os.Stat(filepath.Join(folder, e.file())); err == nil && ok && was.source == e.source && !all {
			e.ptx = was.ptx
			return nil
		}
		text, err := ptxOf(ctx, dir, clang, e.module, i%len(precisions))
		if err != nil {
			return fmt.Errorf("compile %s.cu for %s: %w", e.module, e.precision, err)
		}
		sum := sha256.Sum256(text)
		e.ptx = hex.EncodeToString(sum[:])
		packed, err := pack(text)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(folder, e.file()), packed, 0o644)
	})
	if err != nil {
		return err
	}
	kept := map[string]bool{sumsName: true}
	for _, e := range list {
		kept[e.file()] = true
		if old[e.file()] != e {
			made++
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if !kept[f.Name()] {
			if err := os.Remove(filepath.Join(folder, f.Name())); err != nil {
				return err
			}
		}
	}
	fmt.Printf("ptx: %d files, %d of them new or changed (%s)\n", len(list), made, compiler)
	return writeSums(folder, compiler, list)
}

// ptxOf compiles one module for one precision. The compiler runs in the folder of the sources, so that no path gets in.
func ptxOf(ctx context.Context, dir, clang, module string, precision int) ([]byte, error) {
	args := append(append([]string{}, flags...), fmt.Sprintf("-DPRECISION=%d", precision), module+".cu", "-o", "-")
	c := exec.CommandContext(ctx, clang, args...)
	c.Dir = dir
	var out, bad bytes.Buffer
	c.Stdout, c.Stderr = &out, &bad
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, bad.Bytes())
	}
	return bare(out.Bytes()), nil
}

var (
	remark = regexp.MustCompile(`[ \t]*//[^\n]*`)
	empty  = regexp.MustCompile(`\n{2,}`)
)

// bare takes out the compiler's remarks and empty lines: a third of the text.
func bare(text []byte) []byte {
	text = remark.ReplaceAll(text, nil)
	return append(bytes.TrimSpace(empty.ReplaceAll(text, []byte("\n"))), '\n')
}

// pack compresses: the same text gives the same bytes with one version of the library, which go.mod names. Code for several
// shapes repeats itself over distances that gzip does not see.
func pack(text []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(8<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return z.EncodeAll(text, nil), z.Close()
}

func unpack(name string) ([]byte, error) {
	packed, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	text, err := z.DecodeAll(packed, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// each calls f for 0 … n-1, as many at once as there are cores, and joins the errors.
func each(n int, f func(i int) error) error {
	errs := make([]error, n)
	next := make(chan int)
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := range next {
				errs[i] = f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	return errors.Join(errs...)
}
