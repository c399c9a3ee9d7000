// Package trainer turns grants into trained trials: the pool, early stopping, metrics and checkpoints over any [Engine].
//
// It promises that what a metric means, when a trial stops and what is kept of it are decided here, once, whatever
// device does the arithmetic.
package trainer
