package spec_test

import (
	"encoding/json"
	"testing"

	"sweep/study/spec"
)

// TestSchema makes the schema of one trainer: every key that is read has its part in it, or Schema says which has not.
// sweeps/schema_test.go compares what the schema of the built-in trainers accepts with what Parse does.
func TestSchema(t *testing.T) {
	defer func() {
		if r := recover(); r != nil {
			t.Fatal(r)
		}
	}()
	var schema struct {
		Properties  map[string]any
		Definitions map[string]struct{ Properties map[string]any }
	}
	c := catalogue()
	if err := json.Unmarshal(spec.Schema(c), &schema); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"name", "method", "metric", "parameters", "run_cap", "sweep"} {
		if schema.Properties[k] == nil {
			t.Errorf("the key %s is not in the schema", k)
		}
	}
	of := schema.Definitions["parameters-"+c.Trainer].Properties
	if len(of) != len(c.Params) {
		t.Errorf("the schema has %d parameters of %d", len(of), len(c.Params))
	}
}
