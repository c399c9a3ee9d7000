package trainer

import "errors"

// ErrNaN is a slot's error when its loss or its weights are no longer finite numbers.
var ErrNaN = errors.New("the loss is not a finite number")
