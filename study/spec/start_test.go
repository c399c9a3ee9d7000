package spec_test

import (
	"strings"
	"testing"

	"sweep/study/spec"
)

func TestInitFrom(t *testing.T) {
	s, err := parse(contract + "  init_from: auto encoders/12\n")
	if err != nil || s.InitFrom != "auto encoders/12" {
		t.Fatalf("read as %q: %v", s.InitFrom, err)
	}
	again, err := parse(string(spec.Format(s)))
	if err != nil || again.InitFrom != s.InitFrom {
		t.Errorf("printed and read again it is %q: %v", again.InitFrom, err)
	}
	plain, err := parse(contract)
	if err != nil {
		t.Fatal(err)
	}
	if d := spec.Diff(plain, s); len(d) != 1 || !strings.Contains(d[0], "sweep.init_from: none in the study, ") {
		t.Errorf("the difference is %q", d)
	}
	again.InitDigest = "the study's, not the file's"
	if d := spec.Diff(again, s); len(d) != 0 {
		t.Errorf("what a study notes differs from a file: %q", d)
	}
	for _, wrong := range []string{`""`, `"  "`, "[a, b]", "{trial: 3}"} {
		if _, err := parse(contract + "  init_from: " + wrong + "\n"); err == nil || !strings.Contains(err.Error(), "init_from is") {
			t.Errorf("init_from: %s: %v", wrong, err)
		}
	}
}
