//go:build !gpu || !linux || !amd64

package main

// symbols are none in a program without GPU support.
func symbols() map[string]bool { return nil }
