package server_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sweep/cmd/web/server"
	"sweep/study"
)

func TestAPI(t *testing.T) {
	f := fixture(t)
	s := newServer(t, server.Config{Store: f})
	read := func(path string, v any) http.Header {
		t.Helper()
		res := do(t, s, request{method: "GET", path: path})
		text := body(t, res)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" {
			t.Fatalf("%s: %d %s: %s", path, res.StatusCode, res.Header.Get("Content-Type"), text)
		}
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return res.Header
	}
	var studies []map[string]any
	read("/api/v1/studies", &studies)
	if len(studies) != 3 || studies[0]["name"] != "lr" || studies[0]["state"] != "running" {
		t.Errorf("studies %v", studies)
	}
	var one map[string]any
	read("/api/v1/studies/lr", &one)
	if d := cmp.Diff(studies[0], one); d != "" {
		t.Errorf("one study differs from the list (-want +got)\n%s", d)
	}
	var all []study.TrialView
	read("/api/v1/studies/lr/trials", &all)
	if len(all) != 212 || all[0].Number != f.studies[0].Best.Number {
		t.Errorf("%d trials, the first is %d", len(all), all[0].Number)
	}
	order := []study.State{study.Complete, study.Pruned, study.Running, study.Waiting, study.Failed}
	if !slices.IsSortedFunc(all, func(a, b study.TrialView) int { return slices.Index(order, a.State) - slices.Index(order, b.State) }) {
		t.Error("the trials are not in the contract's order")
	}
	for _, v := range all {
		if (v.Value != nil) != (v.State == study.Complete) {
			t.Errorf("trial %d is %s with value %v", v.Number, v.State, v.Value)
		}
	}
	var paged []study.TrialView
	for path := "/api/v1/studies/lr/trials?limit=100"; path != ""; {
		var part []study.TrialView
		h := read(path, &part)
		paged = append(paged, part...)
		path = ""
		if link, ok := strings.CutSuffix(h.Get("Link"), `>; rel="next"`); ok {
			path = strings.TrimPrefix(link, "<")
		}
	}
	if d := cmp.Diff(numbers(all), numbers(paged)); d != "" {
		t.Errorf("paged (-want +got)\n%s", d)
	}
	var raw map[string]json.RawMessage
	read("/api/v1/studies/lr/trials/17", &raw)
	for _, key := range []string{"number", "state", "value", "params", "metrics", "attempts", "duration_s", "artifacts", "reason", "history", "attempt_list"} {
		if _, ok := raw[key]; !ok {
			t.Errorf("a trial has no key %s", key)
		}
	}
	if string(raw["value"]) != `"NaN"` {
		t.Errorf("NaN is written as %s", raw["value"])
	}
	for path, status := range map[string]int{
		"/api/v1/studies/rl": 404, "/api/v1/studies/lr/trials/999": 404, "/api/v1/nothing": 404, "/api/v1/studies/lr/trials?limit=x": 400,
		"/api/v1/studies/lr/trials?sort=x": 400,
	} {
		res := do(t, s, request{method: "GET", path: path})
		var v struct{ Error string }
		if err := json.Unmarshal([]byte(body(t, res)), &v); err != nil || res.StatusCode != status || v.Error == "" {
			t.Errorf("%s: %d, %v, %v", path, res.StatusCode, v, err)
		}
	}
}

func numbers(list []study.TrialView) []int {
	var out []int
	for _, v := range list {
		out = append(out, v.Number)
	}
	return out
}
