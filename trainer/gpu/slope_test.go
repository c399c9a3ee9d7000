package gpu

import (
	"testing"

	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// TestSlopesAreTakenAlong counts the steps of a training program that only multiply a gradient by a slope: none is left where
// the step before has it at hand, and those stay whose gradient something else reads or whose activation keeps its input.
func TestSlopesAreTakenAlong(t *testing.T) {
	tests := []struct {
		name   string
		change func(*model.Config)
		all    bool // none is left
	}{
		{"reference network", func(*model.Config) {}, true},
		{"3x3 upsampling, tanh", func(c *model.Config) { c.Upsample, c.Activation = "k3", "tanh" }, true},
		{"gelu", func(c *model.Config) { c.Activation = "gelu" }, false},
		{"skip", func(c *model.Config) { c.Variant = model.Skip }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := model.Config{
				Height: 32, Width: 32, Channels: 3, Depth: 3, Filters: []int{16, 32, 64}, Kernel: 3, Latent: 128,
				Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", Upsample: "k2",
			}
			tt.change(&c)
			train, _, err := programs(c)
			if err != nil {
				t.Fatal(err)
			}
			p, _, err := plans(stackOf(c), 1)
			if err != nil {
				t.Fatal(err)
			}
			done := make([]int, len(p.Steps))
			left := 0
			for _, s := range train.steps {
				for _, i := range s.plan {
					done[i]++
				}
				if s.kind == string(plan.ActGrad) {
					left++
				}
			}
			for i, n := range done {
				if n != 1 {
					t.Errorf("step %d of the plan, %s, is done %d times", i, p.Steps[i].Kind, n)
				}
			}
			if tt.all != (left == 0) {
				t.Errorf("%d steps of slopes are left", left)
			}
		})
	}
}

// TestSlopeAfter has a step between two that belong together look at what they pass on.
func TestSlopeAfter(t *testing.T) {
	value := func(offset int) plan.Value { return plan.Value{H: 1, W: 1, C: 8, Offset: offset} }
	values := []plan.Value{value(0), value(16), value(32), value(48), value(0)} // the last is a view of the first
	none := plan.None
	data := plan.Step{Kind: plan.DenseData, Dst: 0, Src: 1, Ref: none, Arg: none, W: 0, B: none}
	slope := plan.Step{Kind: plan.ActGrad, Act: kernel.ReLU, Dst: 4, Src: none, Ref: 2, Arg: none, W: none, B: none}
	step := func(kind plan.Kind, dst, src, ref int) plan.Step {
		return plan.Step{Kind: kind, Dst: dst, Src: src, Ref: ref, Arg: none, W: none, B: none}
	}
	gelu := slope
	gelu.Act = kernel.GELU
	tests := []struct {
		name  string
		steps []plan.Step
		at    int // 0: there is none
	}{
		{"next", []plan.Step{data, slope}, 1},
		{"after the weights", []plan.Step{data, step(plan.DenseWeights, none, 1, 3), slope}, 2},
		{"a reader between", []plan.Step{data, step(plan.Copy, 3, 0, none), slope}, 0},
		{"a writer between", []plan.Step{data, step(plan.Add, 0, 1, 3), slope}, 0},
		{"the output is not there yet", []plan.Step{data, step(plan.Copy, 2, 3, none), slope}, 0},
		{"keeps its input", []plan.Step{data, gelu}, 0},
		{"of another gradient", []plan.Step{data, step(plan.ActGrad, 3, none, 2)}, 0},
		{"no gradient by the input", []plan.Step{step(plan.ConvPoolGrad, none, 1, 2), slope}, 0},
		{"by another input", []plan.Step{step(plan.ConvPoolGrad, 0, 1, 3), slope}, 0},
		{"by its own input", []plan.Step{step(plan.ConvPoolGrad, 0, 1, 2), slope}, 1},
		{"not of a kind that can", []plan.Step{step(plan.Copy, 0, 1, none), slope}, 0},
	}
	for _, tt := range tests {
		at, ok := slopeAfter(&plan.Program{Steps: tt.steps, Values: values}, 0)
		if ok != (tt.at > 0) || ok && at != tt.at {
			t.Errorf("%s: step %d, %v, want %d", tt.name, at, ok, tt.at)
		}
	}
}
