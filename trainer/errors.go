package trainer

import "errors"

// ErrNaN is a slot's error when its loss, its objective or its weights are no longer finite numbers.
var ErrNaN = errors.New("training has left the finite numbers")

// ErrMemory is a trial's error when it needs more memory than there is.
var ErrMemory = errors.New("there is not enough memory")

// ErrDevice is what an engine's errors wrap when its device, or the context that it has there, is lost with all its
// trials: every further call fails likewise, and only another engine can go on from their checkpoints.
var ErrDevice = errors.New("the device is lost")

// ErrFull is what the error of loading a trial wraps, beside [ErrMemory], when it would fit if the device held fewer others: it
// can be loaded once one of them has gone.
var ErrFull = errors.New("there is no room beside the other trials")
