// Package sweep_test keeps the rooms of the module apart: it checks every package's imports and doc comment.
package sweep_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed lists which rooms of the module a room may import. Arrows point down only: study is the vocabulary and
// imports nothing of ours; storage, trainer and templates never see one another and meet only in cmd.
// Tests may import more (the loop is tested on the real store), so only product imports count.
var allowed = map[string][]string{
	"study":           {},
	"study/spec":      {"study"},
	"study/sampler":   {"study"},
	"study/pruner":    {"study"},
	"study/studytest": {"study"},
	"storage":         {"study"},
	"trainer":         {"study", "trainer/dataset", "trainer/kernel", "trainer/model"},
	"trainer/dataset": {"study"},
	"trainer/kernel":  {},
	"trainer/device":  {"trainer/device/cudaabi"}, // with the tag gpu
	// Lets tests make the stand-in driver fail.
	"trainer/device/devicetest": {"study/studytest", "trainer/device", "trainer/device/cudaabi"},
	"trainer/device/cudaabi":    {}, // what a program needs to be built without CUDA and to start without a driver
	// The kernels of a GPU as launches over tables; what runs them is a device.
	"trainer/kernel/cuda": {"trainer/kernel"},
	"trainer/gpu":         {"study", "trainer", "trainer/dataset", "trainer/device", "trainer/kernel", "trainer/kernel/cuda", "trainer/model", "trainer/plan"},
	// The command that compiles them.
	"tools/ptx":     {},
	"trainer/op":    {"trainer/kernel"},
	"trainer/model": {"study", "trainer/kernel", "trainer/op"},
	"trainer/plan":  {"trainer/kernel", "trainer/model", "trainer/op"},
	"trainer/cpu":   {"study", "trainer", "trainer/dataset", "trainer/kernel", "trainer/model", "trainer/plan"},
	// The figures that trials are held against: numerics on data sets by the kernels, no engine.
	"trainer/baseline":   {"study", "trainer", "trainer/dataset", "trainer/kernel"},
	"trainer/checkpoint": {"study", "trainer", "trainer/dataset", "trainer/kernel", "trainer/model"},
	"templates":          {"study", "templates/chart", "templates/static"},
	"templates/chart":    {},
	"templates/static":   {},
	"cmd/web/server":     {"study", "study/spec", "storage", "templates", "templates/chart", "templates/static"},
	"cmd/web":            {"study", "storage", "cmd/web/server"},
	"cmd/sweep": {
		"study", "study/spec", "study/sampler", "study/pruner", "storage", "templates/chart", "cmd/web/server",
		"trainer", "trainer/baseline", "trainer/dataset", "trainer/kernel", "trainer/cpu", "trainer/checkpoint", "trainer/model",
		"trainer/device", "trainer/gpu",
	},
}

type goPackage struct {
	ImportPath, Name, Doc string
	Imports               []string
	GoFiles               []string
}

// packages asks the go command about the module.
func packages(t *testing.T) []goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	var list []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
}

func TestRooms(t *testing.T) {
	const module = "sweep/"
	seen := map[string]bool{}
	for _, p := range packages(t) {
		room := strings.TrimPrefix(p.ImportPath, module)
		seen[room] = true
		if len(p.GoFiles) == 0 || strings.HasPrefix(room, "bench") {
			continue // only tests, or a measurement that may wire anything
		}
		may, known := allowed[room]
		if !known {
			t.Errorf("%s is a new room: give it a line in the table of layers_test.go, and the commit a reason", room)
			continue
		}
		for _, i := range p.Imports {
			if to, ours := strings.CutPrefix(i, module); ours && !slices.Contains(may, to) {
				t.Errorf("%s imports %s, but may import only %v", room, to, may)
			}
		}
	}
	for room := range allowed {
		if !seen[room] {
			t.Errorf("%s stands in the table but not in the module", room)
		}
	}
}

func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no doc comment that says what it promises", p.ImportPath)
		}
	}
}
