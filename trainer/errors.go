package trainer

import "errors"

// ErrNaN is a slot's error when its loss, its objective or its weights are no longer finite numbers.
var ErrNaN = errors.New("training has left the finite numbers")

// ErrMemory is a trial's error when it needs more memory than there is.
var ErrMemory = errors.New("there is not enough memory")
