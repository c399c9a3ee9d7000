// Package studytest holds the suites that every sampler, pruner, store and [study.Work] passes, and test functions with known minima.
//
// It promises that what is stated of a seam in package study is checked in one place, for every implementation alike.
package studytest
