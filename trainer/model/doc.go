// Package model builds the networks as Gorgonia expression graphs out of the operations of trainer/op.
//
// It promises that a [Config] names one network exactly: its weights, their order, layout and initial values.
package model
