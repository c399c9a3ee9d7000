package checkpoint

// VerifyWithin is Verify with another bound on the work that the whole test set may take.
var VerifyWithin = verifyWithin
