package main

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sweep/study/studytest"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSourceSum(t *testing.T) {
	tree := map[string]string{
		"a.cu":     "#include \"mid.cuh\"\nint a;\n",
		"mid.cuh":  "#pragma once\n # include \"deep.h\"\n#include \"host.h\"\n",
		"deep.h":   "#include \"mid.cuh\"\nint deep;\n", // a circle ends
		"other.cu": "int other;\n",
		"host.h":   "int host;\n",
	}
	sum := func(change map[string]string, compiler string) string {
		t.Helper()
		dir := t.TempDir()
		write(t, dir, tree)
		write(t, dir, change)
		s, err := sourceSum(dir, "a", compiler)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	base := sum(nil, "clang 16.0.6")
	for _, c := range []struct {
		name     string
		change   map[string]string
		compiler string
		same     bool
	}{
		{"another folder", nil, "clang 16.0.6", true},
		{"a file that is not included", map[string]string{"other.cu": "int another;\n"}, "clang 16.0.6", true},
		{"the host's header", map[string]string{"host.h": "int another;\n"}, "clang 16.0.6", true},
		{"the file", map[string]string{"a.cu": "#include \"mid.cuh\"\nint b;\n"}, "clang 16.0.6", false},
		{"what an included file includes", map[string]string{"deep.h": "#include \"mid.cuh\"\nint keep;\n"}, "clang 16.0.6", false},
		{"the compiler", nil, "clang 16.0.7", false},
	} {
		if got := sum(c.change, c.compiler); (got == base) != c.same {
			t.Errorf("%s: same sum is %v, want %v", c.name, got == base, c.same)
		}
	}
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.cu": "#include \"gone.h\"\n"})
	if _, err := sourceSum(dir, "a", ""); err == nil {
		t.Error("a file that is not there has a sum")
	}
}

func TestSums(t *testing.T) {
	dir := t.TempDir()
	list := []entry{{"conv", "fp32", "aa", "bb"}, {"conv", "tf32", "aa", "cc"}}
	if err := writeSums(dir, "clang 16.0.6", list); err != nil {
		t.Fatal(err)
	}
	compiler, got, err := sums(dir)
	if err != nil || compiler != "clang 16.0.6" || len(got) != 2 || got["conv.tf32.ptx.zst"] != list[1] {
		t.Errorf("read back %q, %v, %v", compiler, got, err)
	}
	write(t, dir, map[string]string{sumsName: "conv fp32 aa\n"})
	if _, _, err := sums(dir); err == nil {
		t.Error("a line of three words is taken")
	}
}

const kernel = `#include "sweep.cuh"
KERNEL(one, 128) {
  SHARED(float, a, 128);
  a[threadIdx.x] = (float)threadIdx.x * 3.0f;
  __syncthreads();
  if (!no_tile(t)) store(value(t, piece_tile(t).slot, t->dst), threadIdx.x, a[127 - threadIdx.x]);
}
`

// The same sources in another folder give the same files, byte for byte; what has not changed is left alone, and what has no
// source any more goes.
func TestCompile(t *testing.T) {
	if _, err := exec.LookPath("clang-16"); err != nil {
		studytest.LeaveOut(t, "no clang-16 here (Debian's package of that name)")
	}
	source := filepath.Join("..", "..", "trainer", "kernel", "cuda")
	dirs := []string{t.TempDir(), filepath.Join(t.TempDir(), "another", "place")}
	var got [2]map[string]string
	for i, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"sweep.cuh", "device.h"} {
			text, err := os.ReadFile(filepath.Join(source, name))
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, map[string]string{name: string(text)})
		}
		write(t, dir, map[string]string{"one.cu": kernel})
		if err := compile(t.Context(), dir, "clang-16", false); err != nil {
			t.Fatal(err)
		}
		got[i] = contents(t, filepath.Join(dir, "ptx"))
	}
	if len(got[0]) != 4 || !maps.Equal(got[0], got[1]) {
		t.Errorf("two folders give %d and %d files, or other bytes", len(got[0]), len(got[1]))
	}
	dir := dirs[0]
	for _, p := range precisions {
		text, err := unpack(filepath.Join(dir, "ptx", "one."+p+".ptx.zst"))
		if err != nil || !strings.Contains(string(text), ".entry one_"+p+"(") || !strings.Contains(string(text), "mul.rn.f32") {
			t.Errorf("the code for %s has no kernel one_%s with a product that is rounded by itself: %v\n%s", p, p, err, text)
		}
	}
	write(t, filepath.Join(dir, "ptx"), map[string]string{"one.fp32.ptx.zst": "kept", "old.fp32.ptx.zst": "goes"})
	if err := compile(t.Context(), dir, "clang-16", false); err != nil {
		t.Fatal(err)
	}
	now := contents(t, filepath.Join(dir, "ptx"))
	if _, there := now["old.fp32.ptx.zst"]; there || now["one.fp32.ptx.zst"] != "kept" {
		t.Errorf("after nothing changed: %d files, one.fp32 %.10q", len(now), now["one.fp32.ptx.zst"])
	}
	if err := compile(t.Context(), dir, "clang-16", true); err != nil {
		t.Fatal(err)
	}
	if now := contents(t, filepath.Join(dir, "ptx")); !maps.Equal(now, got[0]) {
		t.Error("compiling everything does not give the files of the first time")
	}
	write(t, dir, map[string]string{"one.cu": kernel + "int x = y;\n"})
	if err := compile(t.Context(), dir, "clang-16", false); err == nil || !strings.Contains(err.Error(), "one.cu") {
		t.Errorf("a file that does not compile: %v", err)
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name()] = string(text)
	}
	return out
}

func TestBare(t *testing.T) {
	in := "//\n// Generated\n//\n\n.version 7.0\n.target sm_80\n\n\t// .globl\tadd\n.entry add()\n{\n\tret;                // done\n\n}\n"
	want := ".version 7.0\n.target sm_80\n.entry add()\n{\n\tret;\n}\n"
	if got := string(bare([]byte(in))); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUsages(t *testing.T) {
	report := `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'one_fp32' for 'sm_90'
ptxas info    : Function properties for one_fp32
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 4096 bytes smem, 360 bytes cmem[0]
ptxas info    : Compiling entry function 'two_fp32' for 'sm_90'
ptxas info    : Function properties for two_fp32
    64 bytes stack frame, 72 bytes spill stores, 80 bytes spill loads
ptxas info    : Used 255 registers, 360 bytes cmem[0]
`
	got := usages(report)
	want := []usage{{"one_fp32", "sm_90", 40, 4096, 0, 0}, {"two_fp32", "sm_90", 255, 0, 72, 80}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAllowed(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "spills")
	write(t, dir, map[string]string{"spills": "# a remark\n\nslow_fp32 sm_80 16 runs once an epoch\n"})
	got, err := allowed(name)
	if err != nil || len(got) != 1 || got["slow_fp32 sm_80"] != 16 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"slow_fp32 sm_80 16\n", "slow_fp32 sm_80 some why\n"} {
		write(t, dir, map[string]string{"spills": bad})
		if _, err := allowed(name); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// The list of kernels that may spill can be read; the PTX that is committed is whole, and was made of the sources that are
// there.
func TestCommitted(t *testing.T) {
	if _, err := allowed("spills.txt"); err != nil {
		t.Error(err)
	}
	dir := filepath.Join("..", "..", "trainer", "kernel", "cuda")
	folder := filepath.Join(dir, "ptx")
	compiler, entries, err := sums(folder)
	if err != nil {
		t.Fatal(err)
	}
	names, err := modules(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Error("there are no kernels")
	}
	total := int64(0)
	for _, m := range names {
		source, err := sourceSum(dir, m, compiler)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range precisions {
			file := entry{module: m, precision: p}.file()
			e, ok := entries[file]
			if !ok || e.source != source {
				t.Errorf("%s is not made of %s.cu as it is now: run make kernels, with clang-16, and commit what it writes", file, m)
			}
			delete(entries, file)
			text, err := unpack(filepath.Join(folder, file))
			if err != nil {
				t.Error(err)
				continue
			}
			if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != e.ptx {
				t.Errorf("%s is not the file that SUMS was written of: run make kernels", file)
			}
			if info, err := os.Stat(filepath.Join(folder, file)); err == nil {
				total += info.Size()
			}
		}
	}
	for file := range entries {
		t.Errorf("%s is of no kernel that there is: run make kernels", file)
	}
	if total > 3<<20 {
		t.Errorf("the code takes %d bytes of the program, more than 3 MiB", total)
	}
}
