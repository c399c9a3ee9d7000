package cpu

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"

	"sweep/study/studytest"
	"sweep/trainer"
	"sweep/trainer/kernel"
	"sweep/trainer/model"
	"sweep/trainer/plan"
)

// torchProgram reads rules with weights and the gradients of some steps, and prints the weights after each of PyTorch's.
// PyTorch calls l2 weight_decay, except in AdamW; it clips by its own function.
const torchProgram = `
import json, sys, torch
out = []
for case in json.load(sys.stdin):
    p = [torch.nn.Parameter(torch.tensor(x)) for x in case["weights"]]
    decay = case["weight_decay"] or case["l2"]
    groups = [{"params": p[:1], "weight_decay": decay}, {"params": p[1:], "weight_decay": 0.0}]
    lr = case["lr"]
    o = {
        "adam": lambda: torch.optim.Adam(groups, lr=lr),
        "adamw": lambda: torch.optim.AdamW(groups, lr=lr),
        "sgd": lambda: torch.optim.SGD(groups, lr=lr, momentum=case["momentum"]),
    }[case["optimizer"]]()
    for grads in case["grads"]:
        for x, g in zip(p, grads):
            x.grad = torch.tensor(g)
        if case["clip_norm"]:
            torch.nn.utils.clip_grad_norm_(p, case["clip_norm"])
        o.step()
    out.append([x.tolist() for x in p])
json.dump(out, sys.stdout)
`

// torchTolerance: a few roundings of float32 a step, and the 1e-6 that PyTorch adds to a norm before it divides by it.
const torchTolerance = 3e-6

func TestOptimisersEqualPyTorch(t *testing.T) {
	python := studytest.Interpreter(t, "SWEEP_TORCH", "PyTorch", "the optimisers are compared with their formulas only")
	type torchCase struct {
		Optimizer   string        `json:"optimizer"`
		LR          float64       `json:"lr"`
		Momentum    float64       `json:"momentum"`
		WeightDecay float64       `json:"weight_decay"`
		L2          float64       `json:"l2"`
		ClipNorm    float64       `json:"clip_norm"`
		Weights     [][]float32   `json:"weights"`
		Grads       [][][]float32 `json:"grads"`
	}
	l := plan.NewLayout([]model.Weight{{Name: "a.weight", Shape: []int{5, 7}}, {Name: "a.bias", Shape: []int{7}}, {Name: "n.scale", Shape: []int{3}}})
	r := rand.New(rand.NewPCG(1, 2))
	random := func() (out [][]float32) {
		for _, n := range l.Sizes {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			out = append(out, x)
		}
		return out
	}
	const steps = 3
	var cases []torchCase
	for _, c := range []torchCase{
		{Optimizer: "adam"},
		{Optimizer: "adam", L2: 0.1},
		{Optimizer: "adam", L2: 0.1, ClipNorm: 2},
		{Optimizer: "adamw", WeightDecay: 0.2},
		{Optimizer: "adamw", WeightDecay: 0.2, ClipNorm: 0.5},
		{Optimizer: "sgd"},
		{Optimizer: "sgd", Momentum: 0.9},
		{Optimizer: "sgd", Momentum: 0.9, L2: 0.1, ClipNorm: 2},
		{Optimizer: "sgd", Momentum: 0.9, ClipNorm: 1e3}, // above every norm
	} {
		c.LR, c.Weights = 0.05, random()
		for range steps {
			c.Grads = append(c.Grads, random())
		}
		cases = append(cases, c)
	}
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", torchProgram)
	var complaint bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("PyTorch: %v\n%s", err, complaint.String())
	}
	var want [][][]float32
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		for _, name := range kernel.Names() {
			k, err := kernel.New(name)
			if err != nil {
				t.Fatal(err)
			}
			o := newOptimiser(trainer.Config{
				Optimizer: c.Optimizer, Momentum: c.Momentum, WeightDecay: c.WeightDecay, L2: c.L2, ClipNorm: c.ClipNorm,
			}, l)
			w, g, m, v := l.NewBlock(), l.NewBlock(), l.NewBlock(), l.NewBlock()
			for j, x := range c.Weights {
				copy(l.Of(w, j), x)
			}
			for step, grads := range c.Grads {
				for j, x := range grads {
					copy(l.Of(g, j), x)
				}
				o.run(k, w, g, m, v, math.Sqrt(k.SumSquares(g)), c.LR, int64(step+1))
			}
			for j := range c.Weights {
				for e, x := range l.Of(w, j) {
					truth := float64(want[i][j][e])
					if d := math.Abs(float64(x) - truth); !(d <= torchTolerance*max(1, math.Abs(truth))) {
						t.Errorf("%s, case %d, %s: %s[%d] is %g, PyTorch has %g", name, i, c.Optimizer, l.Weights[j].Name, e, x, truth)
						break
					}
				}
			}
		}
	}
}
