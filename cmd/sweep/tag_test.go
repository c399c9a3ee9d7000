//go:build !gpu

package main_test

// buildTags are those that the tests themselves were built with.
const buildTags = ""
