package server

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"sweep/study"
)

// trialsFile is the leaderboard as CSV (RFC 4180): all its pages, in its order and with its filter, numbers unrounded.
// The columns are those of `sweep top --csv`.
func (s *Server) trialsFile(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	q, err := parseQuery(r.URL.Query(), sum)
	if err != nil {
		return err
	}
	q.Limit, q.After = 0, ""
	page, err := s.query(r, sum, q)
	if err != nil {
		return err
	}
	keys := make(map[string]bool)
	for _, t := range page.Trials {
		for k := range t.Metrics {
			keys[k] = true
		}
	}
	metrics := slices.Sorted(maps.Keys(keys))
	head := []string{"number", "state", "value"}
	for _, d := range sum.Spec.Space {
		head = append(head, "param."+d.Name)
	}
	for _, m := range metrics {
		head = append(head, "metric."+m)
	}
	rows := [][]string{append(head, "attempts", "duration_s")}
	for _, t := range page.Trials {
		v := t.View()
		row := []string{strconv.Itoa(v.Number), string(v.State), ""}
		if v.Value != nil {
			row[2] = exact(float64(*v.Value))
		}
		for _, d := range sum.Spec.Space {
			value := ""
			if p, ok := t.Params[d.Name]; ok {
				value = exact(p)
			}
			row = append(row, value)
		}
		for _, m := range metrics {
			value := ""
			if f, ok := t.Metrics[m]; ok {
				value = exact(f)
			}
			row = append(row, value)
		}
		rows = append(rows, append(row, strconv.Itoa(v.Attempts), exact(v.DurationS)))
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return fmt.Errorf("write the trials of study %s as CSV: %w", sum.Name, err)
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", attachment(strings.TrimSuffix(fileName(sum.Name), ".yaml")+".csv"))
	write(w, r, http.StatusOK, b.Bytes())
	return nil
}

// exact prints a value so that it reads back the same.
func exact(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return study.FormatValue(v)
}
