package cudaabi_test

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sweep/study/studytest"
)

// prototype is a function of include/cuda.h with the version that its symbol bears, or with another symbol.
var prototype = regexp.MustCompile(`(?m)^CUresult (cu\w+)\(.*?\)(?: CU_V([23])\((\w+)\)| __asm__\("(\w+)"\))?;`)

// symbols lists the functions of the header by the names that a driver exports.
func symbols(t *testing.T) []string {
	t.Helper()
	header, err := os.ReadFile("include/cuda.h")
	if err != nil {
		t.Fatal(err)
	}
	found := prototype.FindAllStringSubmatch(string(header), -1)
	if lines := strings.Count(string(header), "\nCUresult "); len(found) != lines || lines < 160 {
		t.Fatalf("of %d prototypes %d are on a line of their own", lines, len(found))
	}
	var names []string
	for _, m := range found {
		name := m[1]
		if m[2] != "" {
			if m[3] != name {
				t.Errorf("%s bears the version of %s", name, m[3])
			}
			name += "_v" + m[2]
		}
		if m[4] != "" {
			name = m[4]
		}
		names = append(names, name)
	}
	return names
}

// Every function of the header has its place in the table and a trampoline to it, in bind.c as it is committed.
func TestTrampolines(t *testing.T) {
	committed, err := os.ReadFile("bind.c")
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile(`(?m)^    "(\w+)",$`).FindAllStringSubmatch(string(committed), -1)
	stubs := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^STUB\("(\w+)", (\d+)\);$`).FindAllStringSubmatch(string(committed), -1) {
		stubs[m[1]] = m[2]
	}
	names := symbols(t)
	if len(table) != len(names) {
		t.Fatalf("the header has %d functions, the table %d: run go generate ./trainer/device/cudaabi", len(names), len(table))
	}
	for i, name := range names {
		if table[i][1] != name {
			t.Errorf("place %d of the table is %s, want %s", i, table[i][1], name)
		}
		place, ok := stubs[name]
		if own := name == "cuInit" || name == "cuDeviceGetCount"; own == ok {
			t.Errorf("%s: trampoline %v; it is written in load.c: %v", name, ok, own)
		} else if ok && place != strconv.Itoa(i) {
			t.Errorf("the trampoline of %s jumps to place %s, want %d", name, place, i)
		}
		delete(stubs, name)
	}
	for name := range stubs {
		t.Errorf("there is a trampoline of %s, but no prototype", name)
	}
}

// bind.c is what bind.sh writes.
func TestGenerated(t *testing.T) {
	if _, err := exec.LookPath("sed"); err != nil {
		studytest.LeaveOut(t, "bind.c is not made anew: %v", err)
	}
	dir := t.TempDir()
	copyFile := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/"+name, b, 0o755); err != nil {
			t.Fatal(err)
		}
		return b
	}
	if err := os.Mkdir(dir+"/include", 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile("include/cuda.h")
	copyFile("bind.sh")
	want, err := os.ReadFile("bind.c")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", dir+"/bind.sh").CombinedOutput(); err != nil {
		t.Fatalf("bind.sh: %v\n%s", err, out)
	}
	got, err := os.ReadFile(dir + "/bind.c")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("bind.c is not what bind.sh writes: run go generate ./trainer/device/cudaabi")
	}
}

// The archive that answers -lcuda is empty: its 8 bytes are the mark of an archive.
func TestEmptyArchive(t *testing.T) {
	b, err := os.ReadFile("lib/libcuda.a")
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != "!<arch>\n" {
		t.Errorf("lib/libcuda.a is %q", b)
	}
}
