package server_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sweep/storage"
	"sweep/study"
)

// fake is a store in memory, filled with what a sweep leaves behind.
type fake struct {
	mu      sync.Mutex
	studies []study.Summary
	trials  map[int64][]study.Detail
	files   map[string]fakeFile
	exports map[int64][]study.Export
	events  []fakeEvent
	asked   []study.Verdict
	lines   map[int64][]study.Baseline
	broken  error // every read fails with it
}

type fakeFile struct {
	study.Artifact
	body []byte
}

type fakeEvent struct {
	study.Event
	studyID int64
}

// nanTrial is complete, but its value is not a number.
const nanTrial = 17

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func newFake() *fake {
	return &fake{trials: make(map[int64][]study.Detail), files: make(map[string]fakeFile), exports: make(map[int64][]study.Export), lines: make(map[int64][]study.Baseline)}
}

func lrSpec(name string) study.Spec {
	return study.Spec{
		Name: name, Description: "learning rate and latent size", Method: "tpe", RunCap: 400,
		Objective: study.Objective{Name: "val_mse", Direction: study.Minimize},
		Space: study.Space{
			{Name: "lr", Distribution: study.Distribution{Kind: study.Float, Low: 0.0005, High: 0.001, Log: true}},
			{Name: "batch", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{int64(32), int64(64), int64(128), int64(256)}}},
			{Name: "latent", Distribution: study.Distribution{Kind: study.Int, Low: 64, High: 512, Step: 1}},
			{Name: "loss", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{"mse", "mae", "mse+ssim"}}},
			{Name: "warmup_epochs", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{int64(0), int64(1), int64(2), int64(3)}}},
			{Name: "patience", Distribution: study.Distribution{Kind: study.Categorical, Choices: []any{int64(2), int64(3), int64(5)}}},
			{Name: "filters", Distribution: study.Fixed([]any{int64(16), int64(32), int64(64), int64(128), int64(256)})},
			{Name: "optimizer", Distribution: study.Fixed("adam")},
		},
		Trainer: "cae", Data: study.DataSpec{Names: []string{"cifar10", "shapes"}, Train: 10000, Validation: 2000}, Epochs: 30, Seed: 1,
		Pruner: study.PrunerSpec{Name: "asha", MinEpochs: 1, Reduction: 3}, Retries: 2, KeepCheckpoints: 10,
	}
}

// addStudy fills a study with n trials: most complete or pruned, a few failed, the last ones running and waiting.
func (f *fake) addStudy(name string, n int, live bool) study.Summary {
	rng := rand.New(rand.NewPCG(7, uint64(len(f.studies))))
	id := int64(len(f.studies) + 1)
	s := study.Summary{
		Study: study.Study{
			ID: id, Name: name, Spec: lrSpec(name), Created: now.Add(-3 * time.Hour),
			Data: study.Data{Name: "cifar10", Fingerprint: "sha256:" + strings.Repeat("5f2c", 16)},
		},
		Counts: make(map[study.State]int), Activity: now.Add(-12 * time.Second), Live: live, Wish: study.Go, Bytes: 48_213_004,
	}
	for i := range n {
		d := f.newTrial(rng, s.Spec, i, n, live)
		s.Counts[d.State]++
		if d.State == study.Complete && !math.IsNaN(d.Value) && (s.Best == nil || d.Value < s.Best.Value) {
			t := d.Trial
			s.Best = &t
		}
		f.trials[id] = append(f.trials[id], d)
	}
	f.studies = append(f.studies, s)
	return s
}

func (f *fake) newTrial(rng *rand.Rand, spec study.Spec, i, n int, live bool) study.Detail {
	lr, latent := math.Exp(math.Log(0.0005)+rng.Float64()*math.Log(2)), 64+rng.IntN(449)
	t := study.Trial{
		ID: int64(i + 1), Number: i, State: study.Complete, Value: math.NaN(), Attempts: 1,
		Params: study.Params{
			"lr": lr, "batch": int64(32 << rng.IntN(4)), "latent": int64(latent), "loss": []string{"mse", "mae", "mse+ssim"}[rng.IntN(3)],
			"warmup_epochs": int64(rng.IntN(4)), "patience": int64([]int{2, 3, 5}[rng.IntN(3)]), "optimizer": "adam",
			"filters": []any{int64(16), int64(32), int64(64), int64(128), int64(256)},
		},
		Start: now.Add(-time.Duration(n-i) * 24 * time.Second),
	}
	epochs := 30
	switch p := rng.Float64(); {
	case i == nanTrial:
	case live && i >= n-3:
		t.State, epochs, t.Start, t.Attempts = study.Waiting, 0, time.Time{}, 0
	case live && i >= n-11:
		t.State, epochs = study.Running, 2+rng.IntN(24)
	case p < 0.33:
		t.State, epochs = study.Pruned, []int{1, 3, 9}[rng.IntN(3)]
	case p < 0.37:
		t.State, epochs, t.Reason, t.Message = study.Failed, rng.IntN(4), study.ReasonNaN, "train epoch 4: the loss is not a number (NaN) at step 212"
	case p < 0.39:
		t.State, epochs, t.Reason, t.Failures, t.Attempts = study.Failed, 1, study.ReasonError, 3, 3
		t.Message = "engine cpu: load: buffer of 4194304 bytes: panic: runtime error: index out of range [512] with length 512\ngoroutine 41 [running]:\nsweep/trainer/kernel.conv(...)"
	case p < 0.41:
		epochs = 12 + rng.IntN(10) // stopped early by patience
	}
	history := make(map[string][]study.Sample)
	floor := 0.011 + 2.2/float64(latent+160)*0.9 + 0.004*rng.Float64() + 12*math.Abs(lr-0.00082)
	floor *= 1 + 0.8*math.Exp(-float64(i)/45) // a sampler that learns
	best, at := math.Inf(1), 0
	for e := 1; e <= epochs; e++ {
		mse := floor + 0.06*math.Exp(-float64(e)/4) + 0.0012*rng.NormFloat64()*math.Exp(-float64(e)/12)
		if t.Reason == study.ReasonNaN && e == epochs {
			mse = math.NaN()
		}
		add := func(key string, v float64) { history[key] = append(history[key], study.Sample{Step: e, Value: v}) }
		add("val_mse", mse)
		add("val_loss", mse*1.02)
		add("train_loss", mse*0.97)
		add("val_mae", math.Sqrt(mse)*0.74)
		add("val_psnr", -10*math.Log10(mse))
		add("val_ssim", 1-mse*14)
		add("learning_rate", lr*math.Min(1, float64(e)/3))
		add("grad_norm", 0.4+0.3*rng.Float64())
		if mse < best {
			best, at = mse, e
		}
	}
	t.Curve = history["val_mse"]
	if epochs > 0 {
		last := epochs - 1
		if t.State == study.Complete {
			last = at - 1
		}
		t.Metrics = map[string]float64{"epoch": float64(last + 1), "images_per_s": 640 + 90*rng.Float64(), "epoch_s": 11.2 + rng.Float64()}
		for k, v := range history {
			t.Metrics[k] = v[last].Value
		}
		t.Duration = time.Duration(epochs)*1700*time.Millisecond + time.Duration(rng.IntN(4000))*time.Millisecond
	}
	switch t.State {
	case study.Complete:
		t.Value = best
		if i == nanTrial {
			t.Value = math.NaN()
		}
	case study.Pruned:
		t.Value = t.Curve[len(t.Curve)-1].Value
	}
	d := study.Detail{History: history}
	if t.State.Final() {
		t.End = t.Start.Add(t.Duration)
	}
	for a := range t.Attempts {
		at := study.Attempt{
			ID: int64(1000*i + a), TrialID: t.ID, Ordinal: a + 1, Epoch: int64(a + 1), Host: "atlas", Device: "cpu:" + strconv.Itoa(i%2),
			Start: t.Start.Add(time.Duration(a) * 20 * time.Second), State: string(t.State), Reason: t.Reason, Message: t.Message,
		}
		if t.State.Final() {
			at.End = at.Start.Add(t.Duration / time.Duration(t.Attempts))
		}
		d.List = append(d.List, at)
	}
	if t.State == study.Complete && i%5 == 0 { // this one was interrupted once
		t.Attempts = 2
		first := d.List[0]
		first.State, first.Reason, first.Message = "lost", study.ReasonLost, "the process ended"
		second := d.List[0]
		second.Ordinal, second.ResumedFrom, second.ResumedStep, second.Start = 2, 1, 12, first.End.Add(40*time.Second)
		second.End = second.Start.Add(t.Duration / 2)
		d.List = []study.Attempt{first, second}
	}
	if epochs > 0 {
		for e := 5; e <= max(epochs, 5); e += 5 {
			d.Artifacts = append(d.Artifacts, f.put(study.Artifact{Kind: study.StripFile, Name: fmt.Sprintf("strip-%03d.png", e), Media: "image/png", Step: e}, strip(i, e)))
		}
	}
	if t.State == study.Complete {
		d.Artifacts = append(d.Artifacts, f.put(study.Artifact{Kind: study.ModelFile, Name: "model.state", Media: "application/octet-stream", Step: at}, []byte(fmt.Sprintf("<script>weights %d</script>", i))))
	}
	d.Trial = t
	return d
}

// strip paints sixteen pictures of 32 by 32 over blurred copies of themselves, sharper at later epochs.
func strip(trial, epoch int) []byte {
	if b, ok := strips.Load([2]int{trial % 2, epoch}); ok {
		return b.([]byte)
	}
	b := paint(trial, epoch)
	strips.Store([2]int{trial % 2, epoch}, b)
	return b
}

// strips keeps what was painted: every fixture has the same pictures.
var strips sync.Map

func paint(trial, epoch int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 16*32, 64))
	rng := rand.New(rand.NewPCG(3, 3))
	for k := range 16 {
		hue, cx, cy, r := rng.Float64(), 8+rng.IntN(16), 8+rng.IntN(16), 5+rng.IntN(8)
		at := func(x, y int) (float64, float64, float64) {
			if dx, dy := x-cx, y-cy; dx*dx+dy*dy < r*r {
				return 0.9 - hue/2, hue, 0.3 + hue/3
			}
			return 0.2 + float64(y)/64, 0.3 + float64(x)/70*hue, 0.6 - float64(y)/90
		}
		for y := range 32 {
			for x := range 32 {
				cr, cg, cb := at(x, y)
				img.Set(k*32+x, y, color.RGBA{uint8(cr * 255), uint8(cg * 255), uint8(cb * 255), 255})
				n, blur := 0.0, max(1, 7-epoch/5-trial%2)
				var sr, sg, sb float64
				for v := -blur; v <= blur; v++ {
					for u := -blur; u <= blur; u++ {
						r2, g2, b2 := at(min(max(x+u, 0), 31), min(max(y+v, 0), 31))
						sr, sg, sb, n = sr+r2, sg+g2, sb+b2, n+1
					}
				}
				img.Set(k*32+x, 32+y, color.RGBA{uint8(sr / n * 255), uint8(sg / n * 255), uint8(sb / n * 255), 255})
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (f *fake) put(a study.Artifact, body []byte) study.Artifact {
	sum := sha256.Sum256(body)
	a.Digest, a.Size = hex.EncodeToString(sum[:]), int64(len(body))
	f.files[a.Digest] = fakeFile{a, body}
	return a
}

// event appends to the history, as a running sweep does.
func (f *fake) event(studyID int64, number int, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, fakeEvent{study.Event{Seq: int64(len(f.events) + 1), Number: number, Kind: kind, Body: "{}", Time: now}, studyID})
}

// change edits one trial and the counts under the lock.
func (f *fake) change(studyID int64, number int, edit func(*study.Detail)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.studies {
		if f.studies[i].ID != studyID {
			continue
		}
		counts := make(map[study.State]int)
		edit(&f.trials[studyID][number])
		for _, t := range f.trials[studyID] {
			counts[t.State]++
		}
		f.studies[i].Counts = counts
	}
}

func (f *fake) Studies(context.Context) ([]study.Summary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.studies), f.broken
}

func (f *fake) Summary(_ context.Context, name string) (study.Summary, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return study.Summary{}, f.broken
	}
	for _, s := range f.studies {
		if s.Name == name {
			return s, nil
		}
	}
	return study.Summary{}, fmt.Errorf("study %s: %w", name, study.ErrNotFound)
}

var stateRank = map[study.State]int{study.Complete: 0, study.Pruned: 1, study.Running: 2, study.Waiting: 3, study.Failed: 4}

// key gives what a trial is sorted by; missing values are NaN.
func key(t study.Trial, sort string) (float64, string) {
	kind, name, _ := strings.Cut(sort, ":")
	switch kind {
	case "number":
		return float64(t.Number), ""
	case "state":
		return 0, string(t.State)
	case "duration":
		return t.Duration.Seconds(), ""
	case "value":
		return t.Value, "" // that of a pruned trial too, as in the real store
	case "metric":
		if v, ok := t.Metrics[name]; ok {
			return v, ""
		}
		return math.NaN(), ""
	case "param":
		if v, ok := study.AsFloat(t.Params[name]); ok {
			return v, ""
		}
		return 0, study.FormatValue(t.Params[name])
	}
	return 0, ""
}

func (f *fake) Query(_ context.Context, studyID int64, q study.Query) (study.Page, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []study.Trial
	for _, d := range f.trials[studyID] {
		if len(q.States) == 0 || slices.Contains(q.States, d.State) {
			all = append(all, d.Trial)
		}
	}
	slices.SortStableFunc(all, func(a, b study.Trial) int {
		if q.Sort == "rank" {
			if d := stateRank[a.State] - stateRank[b.State]; d != 0 {
				return d
			}
			if study.Minimize.Better(a.Value, b.Value) {
				return -1
			} else if study.Minimize.Better(b.Value, a.Value) {
				return 1
			}
			return a.Number - b.Number
		}
		x, xs := key(a, q.Sort)
		y, ys := key(b, q.Sort)
		switch {
		case math.IsNaN(x) && !math.IsNaN(y):
			return 1
		case math.IsNaN(y) && !math.IsNaN(x):
			return -1
		}
		d := cmp.Or(cmp.Compare(x, y), strings.Compare(xs, ys))
		if q.Desc {
			d = -d
		}
		return cmp.Or(d, a.Number-b.Number)
	})
	page := study.Page{Total: len(all)}
	if q.After != "" {
		n, err := strconv.Atoi(q.After)
		if err != nil {
			return study.Page{}, fmt.Errorf("cursor: %w", storage.ErrQuery)
		}
		i := slices.IndexFunc(all, func(t study.Trial) bool { return t.Number == n })
		all = all[i+1:]
	}
	if q.Limit > 0 && len(all) > q.Limit {
		all = all[:q.Limit]
		page.Next = strconv.Itoa(all[len(all)-1].Number)
	}
	page.Trials = all
	return page, f.broken
}

func (f *fake) Detail(_ context.Context, studyID int64, number int) (study.Detail, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if list := f.trials[studyID]; number < len(list) {
		return list[number], nil
	}
	return study.Detail{}, fmt.Errorf("trial %d: %w", number, study.ErrNotFound)
}

func (f *fake) Curves(_ context.Context, studyID int64, key string, numbers []int) (map[int][]study.Sample, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make(map[int][]study.Sample)
	for _, n := range numbers {
		out[n] = f.trials[studyID][n].History[key]
	}
	return out, nil
}

func (f *fake) Events(_ context.Context, studyID, after int64, limit int) ([]study.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []study.Event
	for _, e := range f.events {
		if e.studyID == studyID && e.Seq > after && len(out) < limit {
			out = append(out, e.Event)
		}
	}
	return out, nil
}

func (f *fake) LastSeq(context.Context) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return int64(len(f.events)), nil
}

func (f *fake) OpenArtifact(_ context.Context, digest string) (io.ReadCloser, study.Artifact, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.files[digest]
	if !ok {
		return nil, study.Artifact{}, fmt.Errorf("artifact %s: %w", digest, study.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(file.body)), file.Artifact, nil
}

func (f *fake) Exports(_ context.Context, studyID int64, number int) ([]study.Export, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []study.Export
	for _, e := range f.exports[studyID] {
		if e.Number == number {
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *fake) Baselines(_ context.Context, studyID int64) ([]study.Baseline, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.lines[studyID]), f.broken
}

// addBaselines gives a study the mean image and principal components, one of them amid its trials.
func (f *fake) addBaselines(studyID int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range []struct {
		name string
		k    int
		mse  float64
	}{{study.MeanImage, 0, 0.0616}, {"pca-64", 64, 0.01942}, {"pca-128", 128, 0.01523}, {"pca-256", 256, 0.01248}, {"pca-512", 512, 0.01072}} {
		f.lines[studyID] = append(f.lines[studyID], study.Baseline{
			Name: b.name, K: b.k, Fingerprint: "sha256:" + strings.Repeat("5f2c", 16), Time: now,
			Metrics: map[string]float64{"val_mse": b.mse, "val_psnr": -10 * math.Log10(b.mse), "val_ssim": 1 - 14*b.mse},
		})
	}
}

func (f *fake) Request(_ context.Context, studyID int64, v study.Verdict, _ time.Time) error {
	f.mu.Lock()
	f.asked = append(f.asked, v)
	for i := range f.studies {
		if f.studies[i].ID == studyID {
			f.studies[i].Wish = v
		}
	}
	f.mu.Unlock()
	f.event(studyID, -1, "requested")
	return nil
}

func (f *fake) wishes() []study.Verdict {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}
