package templates_test

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sweep/study"
	"sweep/templates"
)

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		v           float64
		text, title string
	}{
		{0.0263, "0.02630", "0.0263"},
		{0.026991234, "0.02699", "0.026991234"},
		{18.2, "18.20", "18.2"},
		{0, "0", "0"},
		{1234, "1234", "1234"},
		{-3.5, "−3.500", "-3.5"},
		{0.0005, "5.000e-4", "0.0005"},
		{12345678, "1.235e7", "1.2345678e+07"},
		{math.NaN(), "NaN", "not a number"},
		{math.Inf(1), "∞", "infinite"},
		{math.Inf(-1), "−∞", "minus infinite"},
	} {
		if d := cmp.Diff(templates.Value{Text: tt.text, Title: tt.title}, templates.Number(tt.v)); d != "" {
			t.Errorf("Number(%v) (-want +got)\n%s", tt.v, d)
		}
	}
}

func TestWords(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct{ got, want string }{
		{templates.Count(1234567), "1\u202f234\u202f567"},
		{templates.Count(-1234), "-1\u202f234"},
		{templates.Count(999), "999"},
		{templates.Plural(1, "trial"), "1 trial"},
		{templates.Plural(0, "trial"), "0 trials"},
		{templates.Param(0.000823, true).Text, "8.23e-4"},
		{templates.Param(0.25, false).Text, "0.25"},
		{templates.Param(int64(64), true).Text, "64"},
		{templates.Param("mse+ssim", false).Text, "mse+ssim"},
		{templates.Duration(0).Text, "—"},
		{templates.Duration(4300 * time.Millisecond).Text, "4.3s"},
		{templates.Duration(160 * time.Second).Text, "2m 40s"},
		{templates.Duration(3*time.Hour + 5*time.Minute).Text, "3h 05m"},
		{templates.Duration(50 * time.Hour).Text, "2d 02h"},
		{templates.Ago(time.Time{}, now).Text, "—"},
		{templates.Ago(now.Add(time.Hour), now).Text, "just now"},
		{templates.Ago(now.Add(-90*time.Second), now).Text, "1 min ago"},
		{templates.Ago(now.Add(-72*time.Hour), now).Text, "3 days ago"},
		{templates.Bytes(999).Text, "999 B"},
		{templates.Bytes(48_213_004).Text, "48.2 MB"},
		{templates.Goal(study.Maximize), "max"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestProgressFitsTheBar(t *testing.T) {
	for _, counts := range []map[study.State]int{
		{study.Complete: 7, study.Running: 2, study.Failed: 1},
		{study.Complete: 10000, study.Failed: 1},
		{study.Complete: 1, study.Pruned: 1, study.Running: 1, study.Waiting: 1, study.Failed: 1},
		{},
	} {
		end := 0
		for _, p := range templates.Progress(counts, 10) {
			if p.Width < 1 || p.X < end {
				t.Errorf("%v: part %+v overlaps", counts, p)
			}
			end = p.X + p.Width
		}
		if end > 1010 {
			t.Errorf("%v: the bar ends at %d of 1000", counts, end)
		}
	}
}
