package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInitFrom(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.file("tiny.yaml", tiny)
	if _, stderr, code := p.sweep("run", "tiny.yaml"); code != 0 {
		t.Fatal(stderr)
	}
	if _, stderr, code := p.sweep("export", "tiny", "--trial", "0", "-o", "bundle"); code != 0 {
		t.Fatal(stderr)
	}
	file := func(name, from, parameters string) string {
		text := strings.Replace(tiny, "name: tiny", "name: "+name, 1) + "  init_from: " + from + "\n"
		text = strings.Replace(text, "{values: [4, 8]}", parameters, 1)
		p.file(name+".yaml", text)
		return name + ".yaml"
	}
	for name, from := range map[string]string{"trial": "tiny/0", "folder": "bundle", "weights": "bundle/model.safetensors"} {
		_, stderr, code := p.sweep("run", file(name, from, "{values: [4, 8]}"))
		// Trials of the two widths of a code: of one all fits, of the other all but the dense layers.
		if code != 0 || !strings.Contains(stderr, "trials start from "+from+" (") || !strings.Contains(stderr, "(in other trials others)") {
			t.Errorf("%s: %s", name, stderr)
		}
	}
	// Continuing finds the same file, or says that it changed.
	if _, stderr, code := p.sweep("run", "weights.yaml", "--trials", "3"); code != 0 || !strings.Contains(stderr, "continuing study weights") {
		t.Errorf("continuing: %s", stderr)
	}
	if _, stderr, code := p.sweep("export", "tiny", "--trial", "1", "-o", "bundle"); code != 0 {
		t.Fatal(stderr)
	}
	for _, f := range []string{"weights.yaml", "folder.yaml"} {
		if _, stderr, code := p.sweep("run", f, "--trials", "4"); code != 1 || !strings.Contains(stderr, "is not the file that study") {
			t.Errorf("%s with another file: exit %d, %s", f, code, stderr)
		}
	}
	// A bundle says where its weights come from, in words that a sweep file reads.
	if _, stderr, code := p.sweep("export", "trial", "-o", "second"); code != 0 {
		t.Fatal(stderr)
	}
	text, err := os.ReadFile(filepath.Join(p.dir, "second", "config.yaml"))
	if err != nil || !strings.Contains(string(text), `init_from: "tiny/0"`) {
		t.Errorf("config.yaml: %v\n%s", err, text)
	}
	if _, stderr, code := p.sweep("plan", "second/config.yaml"); code != 0 {
		t.Error(stderr)
	}
	for from, want := range map[string]string{
		"nowhere/0": "no trial (STUDY/NUMBER)", "nothing": "no trial (STUDY/NUMBER)", "tiny/7": "7", "tiny.yaml": "read a model",
	} {
		if _, stderr, code := p.sweep("run", file("wrong", from, "{value: 4}")); code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("init_from: %s: exit %d, %s", from, code, stderr)
		}
	}
	// Of another network one array fits; of a classifier with another encoder none does.
	odd := strings.NewReplacer("name: tiny", "name: odd", "latent:  {values: [4, 8]}", "latent:  {value: 5}",
		"filters: {value: [4]}", "filters: {value: [5]}\n  kernel:  {value: 5}").Replace(tiny) + "  init_from: tiny/0\n"
	p.file("odd.yaml", odd)
	if _, stderr, code := p.sweep("run", "odd.yaml"); code != 0 || !strings.Contains(stderr, "1 of 8 arrays; at random: enc.conv0.weight is [3 3 3 4] there, [5 5 3 5] here") {
		t.Errorf("a network that little fits: exit %d, %s", code, stderr)
	}
	p.file("none.yaml", strings.NewReplacer("name: odd", "name: wrong", "cae", "classifier", "val_mse, goal: minimize", "val_acc, goal: maximize").Replace(odd))
	if _, stderr, code := p.sweep("run", "none.yaml"); code != 1 || !strings.Contains(stderr, "none of the weights of init_from fits this network") {
		t.Errorf("a network that nothing fits: exit %d, %s", code, stderr)
	}
	if out, _, _ := p.sweep("studies"); strings.Contains(out, "wrong") {
		t.Errorf("a refused study was created:\n%s", out)
	}
}
