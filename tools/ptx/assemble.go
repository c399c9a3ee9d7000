package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// usage is what the assembler says about one kernel.
type usage struct {
	kernel, arch      string
	registers, shared int // of a thread; bytes of a block
	stores, loads     int // bytes that a thread spills
}

var (
	compiling = regexp.MustCompile(`Compiling entry function '(\w+)' for '(\w+)'`)
	spilled   = regexp.MustCompile(`(\d+) bytes spill stores, (\d+) bytes spill loads`)
	used      = regexp.MustCompile(`Used (\d+) registers`)
	sharedMem = regexp.MustCompile(`(\d+) bytes smem`)
)

// assemble has every PTX of dir/ptx assembled and fails where a kernel spills registers that may not.
func assemble(ctx context.Context, dir string, archs []string, ptxas, spills string, table bool) error {
	if ptxas == "" {
		return errors.New("no assembler: set SWEEP_PTXAS to ptxas, which is in the package nvidia-cuda-nvcc-cu12 of PyPI")
	}
	may, err := allowed(spills)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, "ptx")
	_, entries, err := sums(folder)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return fmt.Errorf("%s holds no PTX: run make kernels", folder)
	}
	temp, err := os.MkdirTemp("", "ptx")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	type job struct{ file, arch string }
	var jobs []job
	for f := range entries {
		for _, a := range archs {
			jobs = append(jobs, job{f, a})
		}
	}
	slices.SortFunc(jobs, func(a, b job) int { return strings.Compare(a.file+a.arch, b.file+b.arch) })
	found := make([][]usage, len(jobs))
	err = each(len(jobs), func(i int) error {
		text, err := unpack(filepath.Join(folder, jobs[i].file))
		if err != nil {
			return err
		}
		in := filepath.Join(temp, strconv.Itoa(i)+".ptx")
		if err := os.WriteFile(in, text, 0o644); err != nil {
			return err
		}
		out, err := exec.CommandContext(ctx, ptxas, "-arch="+jobs[i].arch, "-v", "-o", in+".cubin", in).CombinedOutput()
		if err != nil {
			return fmt.Errorf("assemble %s for %s: %w\n%s", jobs[i].file, jobs[i].arch, err, out)
		}
		found[i] = usages(string(out))
		if len(found[i]) == 0 {
			return fmt.Errorf("assemble %s for %s: the assembler names no kernel:\n%s", jobs[i].file, jobs[i].arch, out)
		}
		return errors.Join(os.Remove(in), os.Remove(in+".cubin"))
	})
	if err != nil {
		return err
	}
	kernels, bad := 0, []string{}
	for _, u := range slices.Concat(found...) {
		kernels++
		if table {
			fmt.Printf("%-40s %s %4d registers %6d bytes shared %5d bytes spilled\n", u.kernel, u.arch, u.registers, u.shared, u.stores)
		}
		if n := max(u.stores, u.loads); n > may[u.kernel+" "+u.arch] {
			bad = append(bad, fmt.Sprintf("%s for %s spills %d bytes with %d registers", u.kernel, u.arch, n, u.registers))
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("%s (%s lists what may)", strings.Join(bad, "; "), spills)
	}
	fmt.Printf("ptx: %d kernels assembled for %s\n", kernels, strings.Join(archs, ", "))
	return nil
}

// usages reads the assembler's report.
func usages(report string) []usage {
	var out []usage
	for s := bufio.NewScanner(strings.NewReader(report)); s.Scan(); {
		line := s.Text()
		if m := compiling.FindStringSubmatch(line); m != nil {
			out = append(out, usage{kernel: m[1], arch: m[2]})
		}
		if len(out) == 0 {
			continue
		}
		u := &out[len(out)-1]
		if m := spilled.FindStringSubmatch(line); m != nil {
			u.stores, u.loads = number(m[1]), number(m[2])
		}
		if m := used.FindStringSubmatch(line); m != nil {
			u.registers = number(m[1])
		}
		if m := sharedMem.FindStringSubmatch(line); m != nil {
			u.shared = number(m[1])
		}
	}
	return out
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // of a match of \d+; what does not fit in an int is no size
	return n
}

// allowed reads the list of kernels that may spill: kernel, architecture, bytes of a thread, and why.
func allowed(name string) (map[string]int, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 4 {
			return nil, fmt.Errorf("%s: line %d is not: kernel architecture bytes reason", name, i+1)
		}
		n, err := strconv.Atoi(f[2])
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, i+1, err)
		}
		out[f[0]+" "+f[1]] = n
	}
	return out, nil
}
