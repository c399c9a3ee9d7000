// Package storage keeps studies, trials, attempts, metrics, files and leases in SQLite: all SQL of the project is here.
//
// It promises that an exported method is one transaction, that what it returned as done survives any death of the
// process, that a write under an old lease changes nothing, and that real Optuna opens the same file. DESIGN.md tells
// how and why.
package storage
