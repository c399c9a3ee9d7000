package sweeps_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"sweep/study/spec"
	"sweep/study/studytest"
	"sweep/trainer"
	"sweep/trainer/dataset"
)

var update = flag.Bool("update", false, "write sweep.schema.json anew")

const schemaFile = "sweep.schema.json"

// The committed schema is the one that `sweep schema` prints: it follows the catalogue.
func TestSchemaFile(t *testing.T) {
	want := spec.Schema(trainer.Catalogues(dataset.Catalogue())...)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("sweeps/%s is not the schema of this program's parameters: write it anew with `go test ./sweeps -run TestSchemaFile -update` and commit it (%v)", schemaFile, err)
	}
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(text), "\n"); first != "# yaml-language-server: $schema="+schemaFile {
			t.Errorf("%s does not begin with the line by which editors find the schema: # yaml-language-server: $schema=%s", name, schemaFile)
		}
	}
}

// wrong are files that schema and parser both refuse, one mistake each.
var wrong = []string{
	"parameters: {lr: {value: 0.001}}\nmetod: tpe",
	"name: x",
	"parameters: {lr: 0.001}",
	"parameters: {lr: {value: 0}}",
	"parameters: {lr: {value: fast}}",
	"parameters: {lr: {min: 0.1}}",
	"parameters: {lr: {min: 0.1, max: 0.2, value: 0.1}}",
	"parameters: {lr: {min: 0.1, max: 11.0}}",
	"parameters: {lr: {distribution: q_uniform, min: 0.1, max: 0.2}}",
	"parameters: {lr: {distribution: uniform, min: 0.1, max: 0.2, q: 0.05}}",
	"parameters: {lr: {distribution: normal, mu: 1}}",
	"parameters: {batch: {value: 1.5}}",
	"parameters: {batch: {values: []}}",
	"parameters: {batch: {values: [32, 32]}}",
	"parameters: {batch: {distribution: uniform, min: 1, max: 2}}",
	"parameters: {kernel: {value: 4}}",
	"parameters: {loss: {value: huber}}",
	"parameters: {loss: {min: 1, max: 2}}",
	"parameters: {filters: {value: 16}}",
	"parameters: {filters: {value: [16, 0, 1]}}",
	"parameters: {bach: {value: 16}}",
	"parameters: {freeze: {value: encoder}}",
	"parameters: {}\nmethod: guess",
	"parameters: {}\nrun_cap: 0",
	"parameters: {}\nmetric: {name: val_acc}",
	"parameters: {}\nmetric: {name: val_mse, goal: maximize}",
	"parameters: {}\nmetric: {name: val_ssim, goal: minimize}",
	"parameters: {}\nmetric: {name: epoch_s}",
	"parameters: {}\nmetric: val_mse",
	"parameters: {}\nepochs: 3",
	"parameters: {}\nsweep: {epochs: 0}",
	"parameters: {}\nsweep: {init_from: \"\"}",
	"parameters: {}\nsweep: {seed: -1}",
	"parameters: {}\nsweep: {trainer: other}",
	"parameters: {}\nsweep: {pruner: {name: ashe}}",
	"parameters: {}\nsweep: {pruner: {min_epochs: 1}}",
	"parameters: {}\nsweep: {pruner: {name: none, min_epochs: 1}}",
	"parameters: {}\nsweep: {pruner: {name: asha, reduction: 1}}",
	"parameters: {}\nsweep: {data: {name: imagenet}}",
	"parameters: {}\nsweep: {data: {name: [shapes, shapes]}}",
	"parameters: {}\nsweep: {data: {name: \"folder:\"}}",
	"parameters: {}\nsweep: {data: {name: folder:x, size: 8}}",
	"parameters: {}\nsweep: {data: {train: 0}}",
	"parameters: {loss: {value: mse}}\nsweep: {trainer: classifier}",
	"parameters: {}\nmetric: {name: val_mse}\nsweep: {trainer: classifier}",
}

// right are files that both accept, beside those of this folder.
var right = []string{
	"parameters:",
	"parameters: {lr: {min: 0.1, max: 0.2}, kernel: {values: [1, 7]}, filters: {values: [[8, 8, 8], [16, 32, 64]]}, batch: {min: 16, max: 64}}",
	"parameters: {lr: {distribution: q_uniform, min: 0.1, max: 0.5, q: 0.1}, batch: {distribution: q_uniform, min: 16, max: 64, q: 16}}",
	"parameters: {latent: {distribution: log_uniform_values, min: 8, max: 64}}\nmetric: {name: val_ssim, goal: maximize, target: 0.9}",
	"parameters: {}\nsweep: {seed: 18446744073709551615, data: {name: [\"folder:my photos\", mnist, shapes], size: 64}}",
	"parameters: {freeze: {value: encoder}}\nmetric: {name: val_acc}\nsweep: {init_from: cae/7, trainer: classifier, pruner: {name: none}}",
}

// TestSchemaJudges has Python's jsonschema judge the files of this folder and many wrong ones, and compares with what the
// program itself says of them.
func TestSchemaJudges(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type document struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	}
	var in struct {
		Schema    json.RawMessage `json:"schema"`
		Documents []document      `json:"documents"`
	}
	in.Schema = spec.Schema(trainer.Catalogues(dataset.Catalogue())...)
	accepted := map[string]bool{}
	add := func(name string, text []byte, good bool) {
		t.Helper()
		if _, err := parse("x.yaml", text); (err == nil) != good {
			t.Errorf("the program says of %s: %v", name, err)
		}
		value, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		in.Documents = append(in.Documents, document{name, value})
		accepted[name] = good
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		add(name, text, true)
	}
	for _, text := range right {
		add(text, []byte(text), true)
	}
	for _, text := range wrong {
		add(text, []byte(text), false)
	}
	python := studytest.Interpreter(t, "SWEEP_PYTHON", "jsonschema (tools/requirements.txt)", "the schema is not compared with the program")
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(python, "testdata/schema_check.py")
	c.Stdin = bytes.NewReader(text)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var verdicts map[string]string // what is wrong, by document; empty: nothing
	if err := json.Unmarshal(out, &verdicts); err != nil {
		t.Fatal(err)
	}
	for name, good := range accepted {
		said, judged := verdicts[name]
		if !judged || (said == "") != good {
			t.Errorf("the schema says of %q: %q, but the program accepts it: %v", name, said, good)
		}
	}
}
