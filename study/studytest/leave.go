package studytest

import (
	"os"
	"testing"
)

// LeaveOut skips a test that lacks something of the machine, and fails it in CI, where nothing is left out: with $CI set to
// anything. The words, as of [testing.TB.Skipf], say what is missing, and so what is not tested.
func LeaveOut(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Interpreter is the Python that the environment variable names; without one the test is left out, see [LeaveOut]. has are
// the packages that the test wants of it, unchecked is what is then not tested.
func Interpreter(t testing.TB, variable, has, unchecked string) string {
	t.Helper()
	p := os.Getenv(variable)
	if p == "" {
		LeaveOut(t, "$%s does not name a Python with %s: %s", variable, has, unchecked)
	}
	return p
}
