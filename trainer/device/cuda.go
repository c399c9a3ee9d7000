//go:build gpu && linux && amd64

package device

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"gorgonia.org/cu"

	"sweep/trainer/device/cudaabi"
)

// prefix begins the IDs of GPUs.
const prefix = "cuda:"

// Built says that this program has GPU support.
const Built = true

const (
	oldestDriver  = 11040 // graphs are made by a function that came with CUDA 11.4
	oldestCompute = 80    // of what the kernels are compiled for; drivers translate them for later ones, not for earlier ones
)

// CUDA says what was found of a driver. The first call loads and initialises it, which may take a second.
func CUDA() Status {
	s := cudaabi.Load()
	out := Status{Built: Built}
	if s.Version > 0 {
		out.Driver = fmt.Sprintf("CUDA %d.%d", s.Version/1000, s.Version%1000/10)
	}
	_, others, err := usable()
	if err != nil {
		out.Reason = err.Error()
	}
	out.Others = others
	return out
}

// usable lists the GPUs that can be used, at least one, and those beside them that cannot with the reasons; or it says why
// there are none.
func usable() (list []Info, others string, err error) {
	none := noGPU()
	s := cudaabi.Load()
	switch {
	case s.Path == "":
		return nil, "", errors.New("no driver: " + s.Reason)
	case s.Init == noDevice:
		return nil, "", errors.New(none)
	case s.Init != 0:
		return nil, "", errors.New("the driver cannot be initialised: " + resultName(s.Init))
	case s.Version < oldestDriver:
		return nil, "", fmt.Errorf("the driver is one for CUDA %d.%d, and 11.4 is the oldest that will do: update it", s.Version/1000, s.Version%1000/10)
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, "", fmt.Errorf("the driver does not say which GPUs there are: %w", err)
	}
	var left []string
	why := errors.New(none)
	for i := range n {
		info, err := describe(i)
		if err == nil {
			err = info.tooOld()
		}
		if err != nil {
			why, left = err, append(left, fmt.Sprintf("%s: %v", info.ID, err))
			continue
		}
		list = append(list, info)
	}
	if len(list) == 0 {
		return nil, "", why
	}
	return list, strings.Join(left, "; "), nil
}

// noGPU says that the driver shows none, and what may hide them.
func noGPU() string {
	reason := "there is a driver, but no GPU that it may use"
	if v, ok := os.LookupEnv("CUDA_VISIBLE_DEVICES"); ok {
		reason += fmt.Sprintf("; CUDA_VISIBLE_DEVICES, which hides all that it does not name, is %q", v)
	}
	return reason
}

// tooOld is an error where a GPU cannot run the kernels.
func (i Info) tooOld() error {
	if 10*i.Major+i.Minor < oldestCompute {
		return fmt.Errorf("%s has compute capability %d.%d, and 8.0 is the least that will do", i.Name, i.Major, i.Minor)
	}
	return nil
}

// GPUs lists the GPUs that the driver shows this process and that can be used, in its order: those of the variable
// CUDA_VISIBLE_DEVICES where it is set, which the driver itself reads, so that cuda:0 is the first that it names. Where a GPU
// is split by MIG, the driver shows an instance as a device, under the name "cuda:MIG-…". There are none without a driver;
// [CUDA] says why.
func GPUs() []Info {
	list, _, err := usable()
	if err != nil {
		return nil
	}
	return list
}

// describe asks the driver about its n-th device.
func describe(n int) (Info, error) {
	info := Info{ID: prefix + strconv.Itoa(n)}
	d, err := cu.GetDevice(n)
	if err != nil {
		return info, wrap(err, "find %s", info.ID)
	}
	if info.Name, err = d.Name(); err != nil {
		return info, wrap(err, "name %s", info.ID)
	}
	if info.Memory, err = d.TotalMem(); err != nil {
		return info, wrap(err, "ask for the memory of %s", info.ID)
	}
	for _, a := range []struct {
		to *int
		of cu.DeviceAttribute
	}{{&info.Major, cu.ComputeCapabilityMajor}, {&info.Minor, cu.ComputeCapabilityMinor}, {&info.Cores, cu.MultiprocessorCount}} {
		if *a.to, err = d.Attribute(a.of); err != nil {
			return info, wrap(err, "ask %s what it can do", info.ID)
		}
	}
	whole, part := uuids(n)
	if info.UUID = "GPU-" + whole; part != "" && part != whole {
		info.UUID = "MIG-" + part
		info.ID = prefix + info.UUID
	}
	return info, nil
}

// Open makes a context on a GPU by its ID, as [GPUs] lists it: "cuda:0" or "cuda:MIG-…". Number and UUID work for any of them.
// The error says which GPUs there are, or what stands in their way.
func Open(id string) (GPU, error) {
	if s := CUDA(); s.Reason != "" {
		return nil, fmt.Errorf("open %s: %s", id, s.Reason)
	}
	name, ok := strings.CutPrefix(id, prefix)
	if !ok {
		return nil, fmt.Errorf("open %s: a GPU is named cuda:0, or cuda:MIG-…; `sweep devices` lists them", id)
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, wrap(err, "count GPUs")
	}
	place, err := strconv.Atoi(name)
	if err != nil {
		place = -1
		for i := range n {
			if info, err := describe(i); err == nil && (info.ID == id || info.UUID == name) {
				place = i
			}
		}
	}
	if place < 0 && strings.HasPrefix(name, "MIG-") {
		return nil, fmt.Errorf("open %s: the driver does not show it to this process: start with CUDA_VISIBLE_DEVICES=%s", id, name)
	}
	if place < 0 || place >= n {
		return nil, fmt.Errorf("open %s: there is no such GPU, the driver shows %d; `sweep devices` lists them", id, n)
	}
	info, err := describe(place)
	if err != nil {
		return nil, err
	}
	if err := info.tooOld(); err != nil {
		return nil, fmt.Errorf("open %s: %w", id, err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Threads that wait for the device sleep: the cores train trials, too.
	ctx, err := cu.Device(place).MakeContext(cu.SchedBlockingSync)
	if err != nil {
		return nil, wrap(err, "make a context on %s", id)
	}
	return &gpu{info: info, ctx: ctx}, nil
}
