package study_test

import (
	"testing"

	"sweep/study"
)

func TestReasonOwn(t *testing.T) {
	for reason, want := range map[study.Reason]bool{
		study.ReasonError: true, study.ReasonMemory: true, study.ReasonNaN: true, "": true, "stack overflow": true,
		study.ReasonLost: false, study.ReasonPreempted: false, study.ReasonCancelled: false,
	} {
		if got := reason.Own(); got != want {
			t.Errorf("%q: own is %t", reason, got)
		}
	}
}
