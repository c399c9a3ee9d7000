//go:build gpu && linux && amd64

package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sweep/study/studytest"
)

// deviceList is what this file reads of `sweep devices --json`.
type deviceList struct {
	Devices []struct {
		ID, Kind string
		Slots    int
	}
	CUDA struct {
		Built          bool
		Driver, Reason string
		Others         string
	}
}

// One binary starts everywhere and says what it found: no driver, a file that is none, a driver without a GPU, GPUs.
func TestCUDADevices(t *testing.T) {
	fake := os.Getenv("SWEEP_LIBCUDA")
	if fake == "" {
		studytest.LeaveOut(t, "runs on the stand-in driver: make cuda-test")
	}
	bin := buildSweep(t)
	text := filepath.Join(t.TempDir(), "libcuda.so.1")
	if err := os.WriteFile(text, []byte("no library\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		env    []string
		driver bool
		reason string // a part of it
		gpus   []string
	}{
		{"a driver that is not there", []string{"SWEEP_LIBCUDA=/nowhere/libcuda.so.1"}, false, "no driver: /nowhere/libcuda.so.1: cannot open", nil},
		{"a text file", []string{"SWEEP_LIBCUDA=" + text}, false, "no driver: " + text + ": file too short", nil},
		{"a library that is no driver", []string{"SWEEP_LIBCUDA=libc.so.6"}, false, "libc.so.6 has no cuInit", nil},
		{"no GPU", []string{"SWEEP_LIBCUDA=" + fake, "SWEEP_FAKE_DEVICES=0"}, true, "no GPU", nil},
		{"a GPU", []string{"SWEEP_LIBCUDA=" + fake}, true, "", []string{"cuda:0"}},
		{"three", []string{"SWEEP_LIBCUDA=" + fake, "SWEEP_FAKE_DEVICES=3"}, true, "", []string{"cuda:0", "cuda:1", "cuda:2"}},
		{"the last of three", []string{"SWEEP_LIBCUDA=" + fake, "SWEEP_FAKE_DEVICES=3", "CUDA_VISIBLE_DEVICES=2"}, true, "", []string{"cuda:0"}},
		{"the first of two too old", []string{"SWEEP_LIBCUDA=" + fake, "SWEEP_FAKE_DEVICES=2", "SWEEP_FAKE_COMPUTE=75"}, true, "", []string{"cuda:1"}},
		{"hidden ones", []string{"SWEEP_LIBCUDA=" + fake, "CUDA_VISIBLE_DEVICES=-1"}, true, "no GPU", nil},
		{"a part of one", []string{"SWEEP_LIBCUDA=" + fake, "SWEEP_FAKE_MIG=1"}, true, "", []string{"cuda:MIG-16fafafa-fafa-fafa-fafa-fafafafafa00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(args ...string) (string, string) {
				t.Helper()
				var out, talk strings.Builder
				cmd := exec.Command(bin, args...)
				cmd.Env = append(slices.DeleteFunc(os.Environ(), func(e string) bool {
					return strings.HasPrefix(e, "SWEEP_") || strings.HasPrefix(e, "CUDA_") || strings.HasPrefix(e, "LD_LIBRARY_PATH=")
				}), c.env...)
				cmd.Stdout, cmd.Stderr = &out, &talk
				if err := cmd.Run(); err != nil {
					t.Fatalf("sweep %v: %v\n%s", args, err, talk.String())
				}
				return out.String(), talk.String()
			}
			out, _ := run("devices", "--json")
			var list deviceList
			if err := json.Unmarshal([]byte(out), &list); err != nil {
				t.Fatal(err)
			}
			var gpus []string
			for _, d := range list.Devices {
				if d.Kind == "cuda" {
					gpus = append(gpus, d.ID)
				}
				if want := map[string]int{"cpu": 1, "cuda": 64}[d.Kind]; d.Slots != want {
					t.Errorf("%s has %d slots, want %d", d.ID, d.Slots, want)
				}
			}
			if !slices.Equal(gpus, c.gpus) || !list.CUDA.Built || (list.CUDA.Driver != "") != c.driver ||
				!strings.Contains(list.CUDA.Reason, c.reason) || (c.reason == "") != (list.CUDA.Reason == "") {
				t.Errorf("GPUs %v, %+v; want %v, driver %v, reason %q", gpus, list.CUDA, c.gpus, c.driver, c.reason)
			}
			table, talk := run("devices")
			old := "cuda:0: stand-in 0 has compute capability 7.5, and 8.0 is the least that will do"
			if want := strings.Contains(c.name, "too old"); want != (list.CUDA.Others == old) || want != strings.Contains(talk, "; "+old) {
				t.Errorf("of what is too old it says %q and %q", list.CUDA.Others, talk)
			}
			for _, id := range c.gpus {
				if !strings.Contains(table, id+" ") {
					t.Errorf("the table lacks %s:\n%s", id, table)
				}
			}
			want := c.reason
			if want == "" {
				want = "driver found, CUDA 13.0"
			}
			if !strings.Contains(talk, want) || strings.Contains(talk, "SWEEP_LIBCUDA=FILE") == c.driver || strings.Count(talk, "\n") != 1 {
				t.Errorf("it says %q, want one line with %q", talk, want)
			}
		})
	}
}

// The binary needs the C library alone, and no driver's function can be confused with one of its own.
func TestCUDABinary(t *testing.T) {
	if os.Getenv("SWEEP_LIBCUDA") == "" {
		studytest.LeaveOut(t, "runs on the stand-in driver: make cuda-test")
	}
	bin := buildSweep(t)
	out, err := exec.Command("readelf", "-d", bin).Output()
	if err != nil {
		studytest.LeaveOut(t, "what the binary needs is not read: readelf: %v", err)
	}
	for _, m := range regexp.MustCompile(`NEEDED.*\[(.*)\]`).FindAllSubmatch(out, -1) {
		if name := string(m[1]); name != "libc.so.6" && name != "libdl.so.2" && name != "libpthread.so.0" {
			t.Errorf("the binary needs %s", name)
		}
	}
	symbols, err := exec.Command("nm", "-D", "--defined-only", bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cuInit", "cuDeviceGetCount", "cuMemAlloc_v2", "cuLaunchKernel"} {
		if strings.Contains(string(symbols), " "+name+"\n") {
			t.Errorf("the binary exports %s, which a driver would call instead of its own", name)
		}
	}
}
