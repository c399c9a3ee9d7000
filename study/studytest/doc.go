// Package studytest holds the suites that every sampler, pruner, store and [study.Work] passes, and test functions with known minima.
//
// It promises that what is stated of a seam in package study is checked in one place, for every implementation alike. What a test
// that needs a thing of the machine does without it, [LeaveOut] decides.
package studytest
