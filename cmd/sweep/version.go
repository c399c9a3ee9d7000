package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"sweep/trainer/device"
	"sweep/trainer/kernel"
)

// version is set by the linker in a release build.
var version = "dev"

// commit is the revision that the binary was built from, as far as Go recorded it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	return revision + dirty
}

func (a *app) versionVerb() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Version, commit, Go, and what is built in", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			gpus := "not built in"
			if device.Built {
				gpus = "built in; `sweep devices` says what it finds"
			}
			fmt.Fprintf(a.out, "sweep %s (commit %s, %s, %s/%s)\nCPU kernels: %s\nGPU support: %s\n",
				version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, kernel.Best().Name(), gpus)
			return nil
		},
	}
}
