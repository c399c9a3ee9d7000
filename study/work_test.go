package study_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sweep/study"
)

// roundTrip sends v through JSON.
func roundTrip(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%#v: %v", v, err)
	}
	out := reflect.New(reflect.TypeOf(v))
	if err := json.Unmarshal(b, out.Interface()); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return out.Elem().Interface()
}

// Every argument and result of the seam comes out of JSON as it went in: a NaN, a nil slice beside an empty one.
func TestWorkThroughJSON(t *testing.T) {
	target := -0.5
	lease := study.Lease{StudyID: math.MaxInt64, TrialID: 2, AttemptID: 3, Epoch: 1<<53 + 1}
	resume := study.Resume{Attempt: 1, Step: 7, Digest: "ab"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 123456000, time.UTC)
	for _, v := range []any{
		study.Capacity{},
		study.Capacity{Host: "h", Device: "cpu:0", Slots: 2, Kinds: []string{"conv", "dense"}},
		study.Lease{},
		lease,
		[]study.Lease{lease, {}},
		study.Resume{},
		resume,
		study.Grant{Params: study.Params{}},
		study.Grant{
			Lease: lease, Study: "s \" \u00e9", Data: study.Data{Name: "shapes", Fingerprint: "f"}, Number: 1, Attempt: 2, Replicate: 3, Resume: &resume,
			Params: study.Params{"i": int64(1 << 53), "f": 1e-7, "b": true, "s": "NaN", "n": nil, "l": []any{int64(8), 0.5, []any{"x"}}},
			Spec: study.Spec{
				Name: "s", Method: "tpe", RunCap: 3, Epochs: 4, Seed: math.MaxUint64, Workers: 2, Retries: 2, KeepCheckpoints: 1, Trainer: "cae",
				Objective: study.Objective{Name: "loss", Direction: study.Maximize, Target: &target},
				Space: study.Space{
					{Name: "f", Distribution: study.Distribution{Kind: study.Float, Low: 1e-9, High: 1, Log: true}},
					{Name: "l", Distribution: study.Fixed([]any{int64(8), 0.5})},
				},
				Data:   study.DataSpec{Names: []string{"shapes"}, Train: 10, Validation: 2},
				Pruner: study.PrunerSpec{Name: "asha", MinEpochs: 1, Reduction: 3},
			},
		},
		study.Go, study.Stale,
		[]study.Verdict{study.Prune, study.Pause, study.Stop},
		study.Point{},
		study.Point{Key: "loss", Step: 1, Value: math.NaN(), Time: at},
		[]study.Point{{Key: "a", Value: math.Inf(1)}, {Key: "b", Value: math.Inf(-1)}, {Key: "c", Value: math.MaxFloat64}},
		study.File{},
		study.File{Kind: study.ModelFile, Name: "m", Media: "x/m", Step: 3, Body: []byte("\x00\xff")},
		study.File{Body: []byte{}},
		study.Artifact{},
		study.Artifact{Kind: study.StripFile, Name: "s", Media: "image/png", Step: 3, Size: 1 << 40, Digest: "ab"},
		study.Outcome{},
		study.Outcome{State: study.Waiting, Metrics: map[string]float64{}, Files: []study.File{}},
		study.Outcome{State: study.Failed, Reason: study.ReasonMemory, Message: "3 GB <asked> for\n"},
		study.Outcome{
			State: study.Complete, Value: math.NaN(), Files: []study.File{{Kind: study.ModelFile, Body: []byte("w")}, {}},
			Metrics: map[string]float64{"a": math.NaN(), "b": math.Inf(1), "c": math.Inf(-1), "": 0, "d": math.SmallestNonzeroFloat64},
		},
		study.Outcome{State: study.Pruned, Value: math.Inf(-1)},
		study.Outcome{State: study.Pruned, Value: math.Inf(1)},
	} {
		if d := cmp.Diff(v, roundTrip(t, v), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%T (-want +got):\n%s", v, d)
		}
	}
}

func TestOutcomeJSON(t *testing.T) {
	b, err := json.Marshal(study.Outcome{State: study.Complete, Value: math.Inf(1), Metrics: map[string]float64{"loss": math.NaN()}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(`{"state":"complete","value":"Infinity","metrics":{"loss":"NaN"}}`, string(b)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, bad := range []string{`{"value":"nan"}`, `{"metrics":{"loss":"much"}}`, `{"metrics":[1]}`, `{"files":{}}`, `[]`, `{`} {
		var o study.Outcome
		if err := json.Unmarshal([]byte(bad), &o); err == nil {
			t.Errorf("%s was read as %+v", bad, o)
		}
	}
}

func FuzzOutcomeJSON(f *testing.F) {
	f.Add("complete", "", "", uint64(0x3ff0000000000000), "loss", uint64(0x7ff8000000000001), []byte("body"), 1)
	f.Add("failed", "out of memory", "3 GB", uint64(0x7ff0000000000000), "", uint64(0xfff0000000000000), []byte(nil), 0)
	f.Add("pruned", "", "<\u2028>", uint64(1), "Infinity", uint64(1<<63), []byte{0, 255}, -3)
	f.Fuzz(func(t *testing.T, state, reason, message string, value uint64, key string, metric uint64, body []byte, step int) {
		text := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") } // JSON has no other
		o := study.Outcome{
			State: study.State(text(state)), Reason: study.Reason(text(reason)), Message: text(message), Value: math.Float64frombits(value),
			Metrics: map[string]float64{text(key): math.Float64frombits(metric)},
			Files:   []study.File{{Kind: study.StripFile, Name: text(key), Step: step, Body: body}},
		}
		if d := cmp.Diff(o, roundTrip(t, o), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}
