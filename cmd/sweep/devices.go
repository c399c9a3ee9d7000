package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/klauspost/cpuid/v2"
	"github.com/spf13/cobra"

	"sweep/trainer/kernel"
)

// deviceList is what `sweep devices --json` prints.
type deviceList struct {
	Devices []deviceView `json:"devices"`
	CUDA    cudaView     `json:"cuda"`
}

type deviceView struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"`
	Name        string `json:"name"`
	MemoryBytes uint64 `json:"memory_bytes"`
	Slots       int    `json:"slots"`
}

type cudaView struct {
	Built  bool   `json:"built"`
	Driver string `json:"driver"`
	Reason string `json:"reason"`
}

func (a *app) devicesVerb() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "devices", Short: "What trials can be trained on", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list := devices()
			if asJSON {
				return printJSON(a.out, list)
			}
			var rows [][]string
			for _, d := range list.Devices {
				rows = append(rows, []string{d.ID, d.Kind, d.Name, size(int64(d.MemoryBytes)), fmt.Sprint(d.Slots)})
			}
			table(a.out, []string{"ID", "KIND", "NAME", "MEMORY", "SLOTS"}, map[string]bool{"MEMORY": true, "SLOTS": true}, rows)
			fmt.Fprintf(a.err, "kernels: %s; CUDA: %s\n", kernel.Best().Name(), list.CUDA.Reason)
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// devices lists one device a core, since each core trains a trial of its own.
func devices() deviceList {
	name := cpuid.CPU.BrandName
	if name == "" {
		name = runtime.GOARCH
	}
	list := deviceList{CUDA: cudaView{Reason: "this build has no GPU support"}}
	if nodes, _ := filepath.Glob("/dev/nvidia[0-9]*"); len(nodes) > 0 {
		list.CUDA.Reason = fmt.Sprintf("this machine has %d NVIDIA devices, but this build has no GPU support", len(nodes))
	}
	n := runtime.GOMAXPROCS(0)
	for i := range n {
		list.Devices = append(list.Devices, deviceView{
			ID: fmt.Sprintf("cpu:%d", i), Kind: "cpu", Name: name, MemoryBytes: memory() / uint64(n), Slots: 1,
		})
	}
	return list
}

// memory is the machine's, in bytes; 0 where the system does not say.
func memory() uint64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer f.Close()
	var kB uint64
	if _, err := fmt.Fscanf(f, "MemTotal: %d kB", &kB); err != nil {
		return 0
	}
	return kB * 1024
}
