package server

import (
	"fmt"
	"math"
	"net/http"
	"strings"

	"sweep/study"
	"sweep/study/spec"
	"sweep/templates"
)

// config shows what a study searches, on which data, and how to continue it.
func (s *Server) config(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	sp, file := sum.Spec, quote(fileName(sum.Name))
	p := templates.ConfigPage{
		Shell: s.shell(sum, "Config", "config"), YAML: string(specFile(sum)), YAMLURL: studyURL(sum.Name) + "/config.yaml",
		Continue: s.commandLine("sweep run " + file),
		Note:     "The same command starts and continues a study: finished trials stay, open ones go on from their last checkpoint. --trials N raises their number; any change of the file needs a new name (--name).",
	}
	about := func(name, value string) { p.About = append(p.About, pair(name, value)) }
	about("name", sum.Name)
	if sp.Description != "" {
		about("description", sp.Description)
	}
	about("method", sp.Method)
	objective := sp.Objective.Name + ", " + string(sp.Objective.Direction)
	if sp.Objective.Target != nil {
		objective += ", until " + study.FormatValue(*sp.Objective.Target)
	}
	about("metric", objective)
	about("run_cap", templates.Plural(sp.RunCap, "trial"))
	about("epochs", "at most "+templates.Count(sp.Epochs)+" a trial")
	about("pruner", prunerWords(sp.Pruner))
	about("trainer", sp.Trainer)
	about("seed", fmt.Sprint(sp.Seed))
	if sp.Workers > 0 {
		about("workers", fmt.Sprint(sp.Workers))
	} else {
		about("workers", "one a core, or the device pool")
	}
	about("retries", fmt.Sprint(sp.Retries))
	about("keep_checkpoints", fmt.Sprint(sp.KeepCheckpoints))
	if sp.InitFrom != "" {
		about("init_from", fmt.Sprintf("%s (%.12s)", sp.InitFrom, sp.InitDigest))
	}
	about("created", templates.Ago(sum.Created, s.cfg.Now()).Title)
	about("disk space", templates.Bytes(sum.Bytes).Text)

	p.Data = []templates.Pair{pair("data set", sum.Data.Name)}
	if len(sp.Data.Names) > 1 {
		p.Data = append(p.Data, pair("chosen from", strings.Join(sp.Data.Names, ", ")))
	}
	if sum.Data.Size > 0 {
		p.Data = append(p.Data, pair("resized to", fmt.Sprintf("%dx%d", sum.Data.Size, sum.Data.Size)))
	}
	p.Data = append(p.Data,
		pair("train", templates.Plural(sp.Data.Train, "image")),
		pair("validation", templates.Plural(sp.Data.Validation, "image")),
		templates.Pair{Name: "fingerprint", Value: templates.Value{Text: sum.Data.Fingerprint}})
	for _, dim := range sp.Space {
		if dim.Distribution.Single() {
			p.Fixed = append(p.Fixed, pair(dim.Name, spec.Describe(dim.Distribution)))
			continue
		}
		d := templates.Dimension{Name: dim.Name, Kind: string(dim.Distribution.Kind), Range: spec.Describe(dim.Distribution), Size: "∞"}
		if n := dim.Distribution.Cardinality(); !math.IsInf(n, 0) {
			d.Size = templates.Count(int(n))
		}
		p.Search = append(p.Search, d)
	}
	s.render(w, r, http.StatusOK, templates.Config(p))
	return nil
}

// configFile is the study's spec as a sweep file to save.
func (s *Server) configFile(w http.ResponseWriter, r *http.Request) error {
	sum, err := s.summary(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/yaml; charset=utf-8")
	w.Header().Set("Content-Disposition", attachment(fileName(sum.Name)))
	write(w, r, http.StatusOK, specFile(sum))
	return nil
}

// fileName is a sweep file's name for a study: no separator, nothing hidden.
func fileName(name string) string {
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '-'
		}
		return r
	}, name), ".")
	if name == "" {
		name = "sweep"
	}
	return name + ".yaml"
}

func pair(name, value string) templates.Pair {
	return templates.Pair{Name: name, Value: templates.Value{Text: value}}
}

func prunerWords(p study.PrunerSpec) string {
	if p.Name == "" {
		return "none"
	}
	text := p.Name
	if p.MinEpochs > 0 {
		text += fmt.Sprintf(", first look after %s", templates.Plural(p.MinEpochs, "epoch"))
	}
	if p.Reduction > 0 {
		text += fmt.Sprintf(", one of %d goes on", p.Reduction)
	}
	return text
}

// specFile is the sweep file that gives the study, defaults spelt out.
func specFile(sum study.Summary) []byte {
	s := sum.Spec
	s.Name = sum.Name
	return spec.Format(s)
}
