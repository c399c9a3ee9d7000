// Package devicetest lets tests of the GPU path reach into the stand-in driver of trainer/device/fake: it opens devices that
// are surely not real ones, and makes a launch lose its context. It is for tests alone, and behind the build tag gpu.
package devicetest
