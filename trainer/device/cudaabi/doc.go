// Package cudaabi lets a program that calls the CUDA driver be built without CUDA and start without a driver.
//
// It promises to gorgonia.org/cu, and to the device package, every function of include/cuda.h as a trampoline that jumps to
// the driver's once [Load] has found it: the program links against nothing of NVIDIA's. All of it is behind the build tag
// gpu (linux/amd64), and every package that imports cu imports this one. The tag is not called cuda, because that one makes
// Gorgonia link cuBLAS and cuDNN. The folders include and lib are what the C compiler and the linker are pointed at, see the
// Makefile; lib/libcuda.a is an empty archive that answers cu's -lcuda.
package cudaabi

//go:generate ./bind.sh
