//go:build gpu && linux && amd64

package device

import (
	"fmt"
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

// CUDA says what was found of a driver. The first call loads and initialises it, which may take a second.
func CUDA() Status {
	s := cudaabi.Load()
	out := Status{Built: Built}
	if s.Version > 0 {
		out.Driver = fmt.Sprintf("CUDA %d.%d", s.Version/1000, s.Version%1000/10)
	}
	switch {
	case s.Path == "":
		out.Reason = "no driver: " + s.Reason
	case s.Init == noDevice:
		out.Reason = "there is a driver, but no GPU that it may use"
	case s.Init != 0:
		out.Reason = "the driver cannot be initialised: " + resultName(s.Init)
	default:
		if n, err := cu.NumDevices(); err != nil {
			out.Reason = "the driver does not say which GPUs there are: " + err.Error()
		} else if n == 0 {
			out.Reason = "there is a driver, but no GPU that it may use"
		}
	}
	return out
}

// GPUs lists the GPUs that the driver shows this process, in its order: those of the variable CUDA_VISIBLE_DEVICES where it
// is set, which the driver itself reads, so that cuda:0 is the first that it names. Where a GPU is split by MIG, the driver
// shows an instance as a device, under the name "cuda:MIG-…". There are none without a driver; [CUDA] says why.
func GPUs() []Info {
	if cudaabi.Load().Init != 0 {
		return nil
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil
	}
	var list []Info
	for i := range n {
		if info, err := describe(i); err == nil {
			list = append(list, info)
		}
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
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Threads that wait for the device sleep: the cores train trials, too.
	ctx, err := cu.Device(place).MakeContext(cu.SchedBlockingSync)
	if err != nil {
		return nil, wrap(err, "make a context on %s", id)
	}
	return &gpu{info: info, ctx: ctx}, nil
}
