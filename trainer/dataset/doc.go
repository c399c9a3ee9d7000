// Package dataset holds the named data sets: fetch, verify, read, split and choose.
//
// It promises that a set is what its name says (each file's SHA-256 is checked while it is read), that a split is a pure
// function of the seed, and that a test set is never part of what is trained or validated on.
package dataset
