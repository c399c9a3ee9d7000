package trainer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/trainer"
	"sweep/trainer/model"
)

func TestCatalogueDefaultsAreValues(t *testing.T) {
	for _, c := range trainer.Catalogues(nil) {
		defaultsAreValues(t, c)
	}
}

func defaultsAreValues(t *testing.T, c study.Catalogue) {
	if m, ok := c.Metric(c.Objective); !ok || m.Direction == "" {
		t.Errorf("%s: the objective is %s", c.Trainer, c.Objective)
	}
	for _, d := range c.Params {
		if err := d.Check(d.Default); err != nil {
			t.Errorf("%s: the default is refused: %v", d.Name, err)
		}
		if d.Doc == "" {
			t.Errorf("%s has no line of documentation", d.Name)
		}
	}
	for _, m := range c.Metrics {
		if m.Unbuilt || m.Sparse != (m.Key == "val_probe_acc") {
			t.Errorf("%s: Unbuilt is %v, Sparse %v", m.Key, m.Unbuilt, m.Sparse)
		}
		if m.Timing != strings.HasSuffix(m.Key, "_s") {
			t.Errorf("%s: Timing is %v", m.Key, m.Timing)
		}
	}
}

// The catalogue refuses what makes no network, whatever the images, and nothing else.
func TestClashes(t *testing.T) {
	c := trainer.Catalogue(nil)
	for _, d := range c.Params {
		for _, clash := range d.Clashes {
			other, ok := c.Param(clash.With)
			for _, w := range clash.Words {
				if d.Fits(d.Default, clash.With, w) != nil || !ok || other.Check(w) != nil {
					t.Errorf("%s: its default clashes, or there is no %s %s", d.Name, clash.With, w)
				}
			}
		}
	}
	words := func(name string) []string {
		d, _ := c.Param(name)
		return d.Words
	}
	for _, variant := range words("variant") {
		for _, task := range words("task") {
			for _, upsample := range words("upsample") {
				for _, side := range []int64{1, 3} { // of the kernel, and the depth
					p := study.Params{"variant": variant, "task": task, "upsample": upsample, "kernel": side, "depth": side}
					_, err := trainer.Decode(p)
					network := model.Config{
						Channels: 3, Height: 32, Width: 32, Depth: int(side), Filters: []int{4, 4, 4}, Kernel: int(side), Upsample: upsample,
						Latent: 8, Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", Variant: variant, Task: task,
					}
					if task == model.Segment {
						network.Loss, network.Classes = "cross_entropy", 11
					}
					if no := network.Check(); (err != nil) != (no != nil) {
						t.Errorf("%v: refused as %v, and the network as %v", p, err, no)
					}
				}
			}
		}
	}
}

func TestDecode(t *testing.T) {
	base := trainer.Config{
		Config: model.Config{
			Depth: 3, Filters: []int{16, 32, 64, 128, 256}, Kernel: 3, Upsample: "k2", Latent: 128,
			Activation: "relu", OutputActivation: "sigmoid", Loss: "mse", SSIMWeight: 0.5, Init: "auto", Task: "reconstruct", Norm: "none", Variant: "plain",
		},
		Batch: 64, LR: 0.001, Schedule: "constant", Optimizer: "adam", Momentum: 0.9, Flip: "none", Patience: 5,
	}
	got, err := trainer.Decode(nil)
	if err != nil || !cmp.Equal(got, base) {
		t.Fatalf("defaults: %v\n%s", err, cmp.Diff(base, got))
	}
	got, err = trainer.Decode(study.Params{"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.1, "l1": 0.2, "l2": 0.3, "clip_norm": 4.0, "init": "he", "dropout_conv": 0.5, "dropout_dense": 0.25, "flip": "horizontal"})
	sgd := base
	sgd.Optimizer, sgd.Momentum, sgd.WeightDecay, sgd.L1, sgd.L2, sgd.ClipNorm, sgd.Init = "sgd", 0.5, 0.1, 0.2, 0.3, 4, "he"
	sgd.DropoutConv, sgd.DropoutDense, sgd.Flip = 0.5, 0.25, "horizontal"
	if err != nil || !cmp.Equal(got, sgd) {
		t.Fatalf("sgd: %v\n%s", err, cmp.Diff(sgd, got))
	}
	got, err = trainer.Decode(study.Params{"norm": "batch", "upsample": "k3", "activation": "gelu"})
	normed := base
	normed.Norm, normed.Upsample, normed.Activation = "batch", "k3", "gelu"
	if err != nil || !cmp.Equal(got, normed) {
		t.Fatalf("norm: %v\n%s", err, cmp.Diff(normed, got))
	}
	got, err = trainer.Decode(study.Params{
		"lr": int64(1), "batch": int64(32), "latent": 64.0, "loss": "mse+ssim", "ssim_weight": 0.25, "patience": int64(0),
		"filters": []any{int64(4), int64(8)}, "depth": int64(2), "kernel": int64(5), "warmup_epochs": int64(2),
		"weight_decay": int64(0), "momentum": 0.9, "schedule": "cosine", "variant": "segnet",
	})
	want := base
	want.LR, want.Batch, want.Latent, want.Loss, want.SSIMWeight, want.Patience = 1, 32, 64, "mse+ssim", 0.25, 0
	want.Filters, want.Depth, want.Kernel, want.WarmupEpochs, want.Schedule = []int{4, 8}, 2, 5, 2, "cosine"
	want.Variant = "segnet"
	if err != nil || !cmp.Equal(got, want) {
		t.Fatalf("given: %v\n%s", err, cmp.Diff(want, got))
	}
}

func TestDecodeVariants(t *testing.T) {
	for _, tt := range []struct {
		p      study.Params
		change func(c *trainer.Config)
	}{
		{study.Params{"variant": "denoising"}, func(c *trainer.Config) { c.Noise, c.NoiseLevel = "gaussian", 0.1 }},
		{
			study.Params{"variant": "denoising", "noise": "mask", "noise_level": 0.4},
			func(c *trainer.Config) { c.Noise, c.NoiseLevel = "mask", 0.4 },
		},
		{study.Params{"variant": "variational"}, func(c *trainer.Config) { c.Beta = 1 }},
		{study.Params{"variant": "variational", "beta": int64(4), "task": "inpaint"}, func(c *trainer.Config) { c.Beta, c.Task = 4, "inpaint" }},
		{study.Params{"task": "superresolve", "noise_level": 0.1}, func(c *trainer.Config) { c.Task = "superresolve" }},
	} {
		want, err := trainer.Decode(nil)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := tt.p["variant"]; ok {
			want.Variant = v.(string)
		}
		tt.change(&want)
		got, err := trainer.Decode(tt.p)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("%v: %v\n%s", tt.p, err, cmp.Diff(want, got))
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		p    study.Params
		want string
	}{
		{"unknown", study.Params{"rate": 1.0}, "none of that name"},
		{"zero rate", study.Params{"lr": 0.0}, "above 0"},
		{"even kernel", study.Params{"kernel": int64(4)}, "odd numbers from 1 to 7"},
		{"half a batch", study.Params{"batch": 1.5}, "whole numbers from 1 to 1024"},
		{"text for a number", study.Params{"latent": "many"}, "not a number"},
		{"decay of adam", study.Params{"weight_decay": 0.1}, "no meaning where optimizer is adam, only with adamw or sgd"},
		{"wrong word", study.Params{"loss": "huber"}, "one of mse, mae, mse+ssim"},
		{"all dropped", study.Params{"dropout_conv": 1.0}, "from 0 to 0.95"},
		{"noise without denoising", study.Params{"noise_level": 0.3}, "no meaning where variant is plain, only with denoising"},
		{"beta without a law", study.Params{"beta": 2.0, "variant": "denoising"}, "only with variational"},
		{"much noise", study.Params{"variant": "denoising", "noise_level": 1.5}, "out of range"},
		{"filters too few", study.Params{"filters": []any{int64(8)}}, "too few for depth 3"},
		{"filters no list", study.Params{"filters": int64(8)}, "list"},
		{"filter zero", study.Params{"filters": []any{int64(8), int64(0), int64(8)}}, "out of range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := trainer.Decode(test.p)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
