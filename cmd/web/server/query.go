package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"sweep/storage"
	"sweep/study"
)

// pageRows is how many trials a page of the leaderboard holds: what a page costs depends on its rows alone.
const pageRows = 50

// parseQuery reads what an address says about sorting, filtering and paging.
func parseQuery(v url.Values, sum study.Summary) (study.Query, error) {
	q := study.Query{Sort: "rank", Limit: pageRows, After: v.Get("after"), Desc: v.Get("desc") == "1" || v.Get("desc") == "true"}
	if text := v.Get("sort"); text != "" {
		q.Sort = text
	}
	kind, name, named := strings.Cut(q.Sort, ":")
	switch {
	case !named && slices.Contains([]string{"rank", "number", "state", "duration", "value"}, kind):
	case named && kind == "metric" && name != "":
	case named && kind == "param":
		if _, ok := sum.Spec.Space.Lookup(name); !ok {
			return q, badAddress(fmt.Sprintf("the study %s has no parameter %s to sort by", sum.Name, clip(name)))
		}
	default:
		return q, badAddress("sort is one of rank, number, state, duration, value, param:NAME, metric:NAME")
	}
	for _, text := range v["state"] {
		for word := range strings.SplitSeq(text, ",") {
			if word == "" {
				continue
			}
			if !slices.Contains(study.States[:], study.State(word)) {
				return q, badAddress(fmt.Sprintf("the state %s is not one of waiting, running, complete, pruned, failed", clip(word)))
			}
			q.States = append(q.States, study.State(word))
		}
	}
	return q, nil
}

// query reads a page of trials. A cursor that the store does not understand is the address's mistake.
func (s *Server) query(r *http.Request, sum study.Summary, q study.Query) (study.Page, error) {
	page, err := s.cfg.Store.Query(r.Context(), sum.ID, q)
	if errors.Is(err, storage.ErrQuery) && q.After != "" {
		return page, badAddress("after is no cursor of this list; begin at its first page")
	}
	if err != nil {
		return page, fmt.Errorf("read trials of study %s: %w", sum.Name, err)
	}
	return page, nil
}

func badAddress(text string) error {
	return &problem{status: http.StatusBadRequest, title: "This address asks for something that there is not", text: strings.ToUpper(text[:1]) + text[1:] + ".", back: allStudies}
}

// address writes a list's address; the default order is left out so that plain addresses stay plain.
func address(base string, q study.Query) string {
	v := url.Values{}
	if q.Sort != "" && q.Sort != "rank" {
		v.Set("sort", q.Sort)
	}
	if q.Desc {
		v.Set("desc", "1")
	}
	if len(q.States) > 0 {
		words := make([]string, len(q.States))
		for i, s := range q.States {
			words[i] = string(s)
		}
		v.Set("state", strings.Join(words, ","))
	}
	if q.After != "" {
		v.Set("after", q.After)
	}
	if len(v) == 0 {
		return base
	}
	return base + "?" + v.Encode()
}
