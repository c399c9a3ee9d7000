//go:build gpu && linux && amd64

package device_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sweep/trainer/device"
	"sweep/trainer/device/devicetest"
)

func TestOpen(t *testing.T) {
	devicetest.Require(t)
	g := devicetest.Open(t, "cuda:0")
	want := device.Info{
		ID: "cuda:0", UUID: "GPU-fafafafa-fafa-fafa-fafa-fafafafafa00", Name: "stand-in 0", Memory: 2 << 30, Major: 9, Cores: 132,
	}
	if g.Info() != want {
		t.Errorf("opened %+v, want %+v", g.Info(), want)
	}
	if list := device.GPUs(); len(list) != 1 || list[0] != want {
		t.Errorf("GPUs are %+v", list)
	}
	if s := device.CUDA(); !s.Built || s.Driver != "CUDA 13.0" || s.Reason != "" {
		t.Errorf("the driver is %+v", s)
	}
	for id, say := range map[string]string{
		"cuda:1":       "the driver shows 1",
		"cuda:-1":      "no such GPU",
		"cuda:":        "no such GPU",
		"cuda:x":       "no such GPU",
		"cpu:0":        "named cuda:0",
		"":             "named cuda:0",
		"cuda:MIG-abc": "CUDA_VISIBLE_DEVICES=MIG-abc",
	} {
		if g, err := device.Open(id); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("open %q: %v, %v; want an error with %q", id, g, err, say)
		}
	}
	// The whole GPU's name works, too, and that of a part of one.
	for id, mig := range map[string]string{
		"cuda:GPU-fafafafa-fafa-fafa-fafa-fafafafafa00": "0",
		"cuda:MIG-16fafafa-fafa-fafa-fafa-fafafafafa00": "1",
	} {
		t.Setenv("SWEEP_FAKE_MIG", mig)
		part := devicetest.Open(t, id)
		if mig == "1" && part.Info().ID != id {
			t.Errorf("a part of a GPU is opened as %s, want %s", part.Info().ID, id)
		}
	}
}

// TestUnusable looks for a driver in another process for each of those that cannot be used.
func TestUnusable(t *testing.T) {
	if os.Getenv("SWEEP_TEST_CHILD") != "" {
		_, err := device.Open("cuda:0")
		fmt.Printf("reason: %s; %d GPUs; %v\n", device.CUDA().Reason, len(device.GPUs()), err)
		return
	}
	devicetest.Require(t)
	environment := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "CUDA_VISIBLE_DEVICES=") })
	for setting, want := range map[string]string{
		"SWEEP_FAKE_INIT=802":       "the driver cannot be initialised: CUDA_ERROR_SYSTEM_NOT_READY (system not yet initialized)",
		"SWEEP_FAKE_INIT=100":       "there is a driver, but no GPU that it may use",
		"CUDA_VISIBLE_DEVICES=":     `there is a driver, but no GPU that it may use; CUDA_VISIBLE_DEVICES, which hides all that it does not name, is ""`,
		"SWEEP_FAKE_VERSION=11020":  "the driver is one for CUDA 11.2, and 11.4 is the oldest that will do: update it",
		"SWEEP_FAKE_COMPUTE=75":     "stand-in 0 has compute capability 7.5, and 8.0 is the least that will do",
		"SWEEP_LIBCUDA=/nowhere.so": "no driver: /nowhere.so: cannot open shared object file: No such file or directory",
	} {
		child := exec.Command(os.Args[0], "-test.run=^TestUnusable$", "-test.v")
		child.Env = append(environment, "SWEEP_TEST_CHILD=1", setting)
		out, err := child.CombinedOutput()
		if line := "reason: " + want + "; 0 GPUs; open cuda:0: " + want + "\n"; err != nil || !strings.Contains(string(out), line) {
			t.Errorf("%s: %v\n%swant %s", setting, err, out, line)
		}
	}
	for _, setting := range []string{"SWEEP_FAKE_VERSION=11040", "SWEEP_FAKE_COMPUTE=80"} {
		child := exec.Command(os.Args[0], "-test.run=^TestUnusable$", "-test.v")
		child.Env = append(environment, "SWEEP_TEST_CHILD=1", setting)
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "reason: ; 1 GPUs; <nil>\n") {
			t.Errorf("%s: %v\n%s", setting, err, out)
		}
	}
}
