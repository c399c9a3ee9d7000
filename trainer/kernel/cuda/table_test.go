package cuda

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sweep/study/studytest"
)

// cName is a field's name in sweep.cuh.
func cName(goName string) string {
	switch goName {
	case "SE", "AE", "SSIM", "NSegments", "NValues", "NWeights", "NSlots", "SSIMWeight", "L1", "L2":
		if goName == "SSIMWeight" {
			return "ssim_weight"
		}
		return strings.ToLower(goName)
	case "FoldBias":
		return "fold_bias"
	case "CropH", "CropW":
		return "crop_" + strings.ToLower(goName[4:])
	}
	return strings.ToLower(goName[:1]) + goName[1:]
}

// headers are what sweep.cuh is made of: the test runs outside of a checkout, too.
//
//go:embed sweep.cuh host.h device.h
var headers embed.FS

// TestTables compares the tables with those that a C++ compiler makes of sweep.cuh: every size, every field's place and its
// size; then the constants.
func TestTables(t *testing.T) {
	compiler, err := exec.LookPath("g++")
	if err != nil {
		studytest.LeaveOut(t, "there is no g++ to read sweep.cuh with")
	}
	tables := map[string]any{
		"Work": Work{}, "Shape": Size{}, "Segment": Segment{}, "Unit": Unit{}, "Sums": Sums{}, "Slot": Slot{},
		"Lists": Lists{}, "Task": Task{}, "Rounds": Rounds{},
	}
	var want []string
	var c strings.Builder
	c.WriteString("#include \"sweep.cuh\"\n#include <cstddef>\n#include <cstdio>\n" +
		"HOST_LOCAL Index host_thread, host_block;\nHOST_LOCAL int host_threads;\nHOST_LOCAL void *host_dynamic;\nint main() {\n")
	say := func(text, expr string, value int) {
		want = append(want, fmt.Sprintf("%s %d", text, value))
		fmt.Fprintf(&c, "  printf(\"%s %%d\\n\", (int)(%s));\n", text, expr)
	}
	for name, table := range tables {
		typ := reflect.TypeOf(table)
		say(name, fmt.Sprintf("sizeof(%s)", name), int(typ.Size()))
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.Name == "_" {
				continue
			}
			field := cName(f.Name)
			say(name+"."+field, fmt.Sprintf("offsetof(%s, %s)", name, field), int(f.Offset))
			say("size of "+name+"."+field, fmt.Sprintf("sizeof(%s::%s)", name, field), int(f.Type.Size()))
		}
	}
	say("Slot's written part", "offsetof(Slot, scale)", SlotWritten)
	for name, value := range map[string]int{
		"STATS_BYTES(7)": StatsBytes(7), "CLEAR_TRAIN": ClearTrain, "CLEAR_VALIDATION": ClearValidation, "CLEAR_FAILED": ClearFailed,
		"VALIDATE": Validate, "TRAIN": Train, "MEASURE": Measure, "FAILED_STEP": FailedStep, "FAILED_VALIDATION": FailedValidation,
		"FAILED_WEIGHTS": FailedWeights, "TILE": Tile, "NONE": None, "LATENT": Latent, "IMAGE_SUMS": ImageSums, "SPAN": Span, "ADAM": Adam, "SGD": SGD,
	} {
		say(name, name, value)
	}
	c.WriteString("}\n")

	dir := t.TempDir()
	source, program := filepath.Join(dir, "tables.cc"), filepath.Join(dir, "tables")
	if err := os.WriteFile(source, []byte(c.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, headers); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(compiler, "-std=c++17", "-DHOST", "-Wno-invalid-offsetof", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(got) != len(want) {
		t.Fatalf("the compiler tells %d numbers of %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("sweep.cuh has %s, table.go %s", got[i], want[i])
		}
	}
}

func TestBytes(t *testing.T) {
	in := []Work{{1, 2}, {-3, 1 << 30}}
	b := Bytes(in)
	if want := []byte{1, 0, 0, 0, 2, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff, 0, 0, 0, 0x40}; !bytes.Equal(b, want) {
		t.Errorf("%v are the bytes %v", in, b)
	}
	if out := Tables[Work](b); len(out) != 2 || out[0] != in[0] || out[1] != in[1] {
		t.Errorf("%v came back as %v", in, out)
	}
	if Bytes([]Work(nil)) != nil {
		t.Error("no tables are some bytes")
	}
}
