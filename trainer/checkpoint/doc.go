// Package checkpoint turns what a trial has learned into bytes and back: the state that an attempt resumes from, the
// model of a finished trial, and the bundle that a user takes away.
//
// It promises that a file is whole or refused (every byte is under a checksum, and nothing read ever panics), that the
// same content gives the same bytes, and that a bundle's model.onnx does what the trained network did: it is run again
// before the bundle is put in place, and by [Verify], with the rest of what the bundle claims of the test set, whenever
// someone asks.
package checkpoint
