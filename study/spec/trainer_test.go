package spec_test

import (
	"strings"
	"testing"

	"sweep/study"
	"sweep/study/spec"
)

// two are trainers of which the first has tasks with metrics of their own.
func two() (study.Catalogue, study.Catalogue) {
	first := catalogue()
	first.Objective = "val_mse"
	first.Params = append(first.Params, study.Declaration{
		Name: "task", Kind: study.Categorical, Words: []string{"copy", "fill", "mark"}, Default: "copy",
	})
	for i, m := range first.Metrics {
		if m.Key == "val_mse" || m.Key == "val_psnr" {
			first.Metrics[i].With, first.Metrics[i].WithWords = "task", []string{"copy", "fill"}
		}
	}
	first.Metrics = append(first.Metrics, study.MetricDecl{Key: "val_iou", Direction: study.Maximize, With: "task", WithWords: []string{"mark"}})
	second := study.Catalogue{
		Trainer: "judge", Objective: "val_acc", Data: first.Data,
		Params: []study.Declaration{
			{Name: "lr", Kind: study.Float, Low: 0, High: 1, Default: 0.1},
			{Name: "freeze", Kind: study.Categorical, Words: []string{"none", "encoder"}, Default: "none"},
		},
		Metrics: []study.MetricDecl{{Key: "val_loss", Direction: study.Minimize}, {Key: "val_acc", Direction: study.Maximize}},
	}
	return first, second
}

func TestTrainers(t *testing.T) {
	for _, tt := range []struct {
		name, text, want string // want: a mistake, or the trainer and the objective
	}{
		{"the first", "parameters: {lr: {value: 0.1}}", "cae val_mse minimize"},
		{"by name", "parameters: {lr: {value: 0.1}}\nsweep: {trainer: judge}", "judge val_acc maximize"},
		{"a metric of its own", "metric: {name: val_loss}\nparameters: {lr: {value: 0.1}}\nsweep: {trainer: judge}", "judge val_loss minimize"},
		{"a parameter of another", "parameters: {latent: {value: 1}}\nsweep: {trainer: judge}", `1:14: latent is not a parameter of judge`},
		{"a metric of another", "metric: {name: val_mse}\nparameters: {lr: {value: 0.1}}\nsweep: {trainer: judge}", "1:16: val_mse is not a metric of judge"},
		{"misspelt", "parameters: {lr: {value: 0.1}}\nsweep: {trainer: juge}", "2:18: trainer juge is unknown; did you mean judge?"},
		{"none", "parameters: {lr: {value: 0.1}}\nsweep: {trainer: }", "2:"},
		{"a wrong section is told once", "parameters: {lr: {value: 0.1}}\nsweep: [1]", "2:8: sweep holds keys"},

		{"task with its metric", "metric: {name: val_iou}\nparameters: {task: {value: mark}}", "cae val_iou maximize"},
		{"tasks of one kind", "parameters: {task: {values: [copy, fill]}}", "cae val_mse minimize"},
		{"the default for a task", "parameters: {task: {value: mark}}", "1:1: val_mse is not reported by trials with task mark: write metric: {name: val_iou, goal: maximize}"},
		{"a metric of other tasks", "metric: {name: val_psnr}\nparameters: {task: {value: mark}}", "1:16: val_psnr is not reported by trials with task mark: write metric: {name: val_iou, goal: maximize}"},
		{"the default task", "metric: {name: val_iou}\nparameters: {lr: {value: 0.1}}", "1:16: val_iou is not reported by trials with task copy: write metric: {name: val_mse, goal: minimize}"},
		{"tasks of two kinds", "metric: {name: val_loss}\nparameters: {task: {values: [copy, mark]}}", "2:20: task copy and mark report different metrics"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := two()
			s, err := spec.Parse(spec.Source{Name: "sweep.yaml", Text: []byte(tt.text)}, a, b)
			if err != nil {
				if !strings.HasPrefix(err.Error(), "sweep.yaml:"+tt.want) || strings.Count(err.Error(), "sweep.yaml:") != 1 {
					t.Errorf("got %v, want %q alone", err, tt.want)
				}
				return
			}
			if got := s.Trainer + " " + s.Objective.Name + " " + string(s.Objective.Direction); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			again, err := spec.Parse(spec.Source{Name: "sweep.yaml", Text: spec.Format(s)}, a, b)
			if err != nil || len(spec.Diff(s, again)) != 0 {
				t.Errorf("as it prints itself: %v, %v", err, spec.Diff(s, again))
			}
		})
	}
}

func TestFreezeWithoutAnEncoder(t *testing.T) {
	for text, want := range map[string]int{
		"parameters: {freeze: {values: [none, encoder]}}\nsweep: {trainer: judge}":         1,
		"parameters: {freeze: {value: encoder}}\nsweep: {trainer: judge, init_from: best}": 0,
		"parameters: {freeze: {value: none}, lr: {value: 0.1}}\nsweep: {trainer: judge}":   0,
		"parameters: {lr: {min: 0.1, max: 0.2}}\nrun_cap: 2\nsweep: {trainer: judge}":      0,
	} {
		a, b := two()
		s, err := spec.Parse(spec.Source{Name: "sweep.yaml", Text: []byte("run_cap: 1\n" + strings.ReplaceAll(text, "\nrun_cap: 2", ""))}, a, b)
		if err != nil {
			t.Fatal(err)
		}
		if got := spec.Warnings(s); len(got) != want || want == 1 && !strings.Contains(got[0], "init_from") {
			t.Errorf("%s: %q", text, got)
		}
	}
}
