//go:build !amd64

package kernel

// There is no assembly for this processor: the vector functions are never chosen, and are the portable ones.

func hasVector() bool { return false }

func tileAVX2(p *panel) { tileGo(p) }
