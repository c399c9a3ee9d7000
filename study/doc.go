// Package study holds the words of the field (Study, Trial, Attempt, Param, Distribution, Space, Metric, Objective,
// Direction) and the loop that runs a study.
//
// It promises that a study is driven the same way whatever stores it, whatever proposes its trials and whatever trains
// them: the package imports nothing else of this module and does no I/O. A [Runner] is handed a [Store], a [Sampler]
// and a [Pruner], and offers [Work] to whoever trains.
package study
