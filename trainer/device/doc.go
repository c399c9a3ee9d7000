// Package device says which devices trials can be trained on, and opens the GPUs among them.
//
// It promises that a program with GPU support starts anywhere, also where there is no driver or no GPU, and then says which
// of them is missing; a program without GPU support lists cores alone.
package device
