package kernel

import "golang.org/x/sys/cpu"

// hasVector reports whether the assembly of this package runs on this processor.
func hasVector() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

//go:noescape
func tileAVX2(p *panel)
