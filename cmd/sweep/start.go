package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sweep/storage"
	"sweep/study"
	"sweep/study/sampler"
	"sweep/trainer"
	"sweep/trainer/checkpoint"
	"sweep/trainer/dataset"
)

// start is what the trials of a study start from instead of random weights.
type start struct {
	from    string // as the sweep file says it
	digest  string // SHA-256 of the model file
	weights []trainer.Tensor
}

// startOf reads what a spec's init_from names: a complete trial of this database whose weights are kept, the folder of a
// bundle, or a model.safetensors. It is nil for a spec without one.
func (a *app) startOf(ctx context.Context, db *storage.DB, s study.Spec) (*start, error) {
	if s.InitFrom == "" {
		return nil, nil
	}
	body, err := a.startBody(ctx, db, s.InitFrom)
	if err != nil {
		return nil, fmt.Errorf("init_from: %w", err)
	}
	_, weights, err := checkpoint.DecodeModel(body)
	if err != nil {
		return nil, fmt.Errorf("init_from: %s: %w", s.InitFrom, err)
	}
	sum := sha256.Sum256(body)
	return &start{from: s.InitFrom, digest: hex.EncodeToString(sum[:]), weights: weights}, nil
}

func (a *app) startBody(ctx context.Context, db *storage.DB, from string) ([]byte, error) {
	i := strings.LastIndexByte(from, '/')
	if number, err := strconv.Atoi(from[i+1:]); i > 0 && err == nil && number >= 0 {
		// A study's name has no slash and starts with no dot: ./NAME/3 is a path.
		s, err := db.Summary(ctx, from[:i])
		if err == nil {
			if _, err := os.Stat(from); err == nil {
				return nil, fmt.Errorf("%s is both a trial and a path: write ./%[1]s for the path, or move that", from)
			}
			d, err := db.Detail(ctx, s.ID, number)
			if err != nil {
				return nil, err
			}
			return modelOf(ctx, db, s, d)
		}
		if !errors.Is(err, study.ErrNotFound) {
			return nil, err
		}
	}
	path := from
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, checkpoint.WeightsFile)
	}
	body, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no trial (STUDY/NUMBER) of %s, no folder of an exported model and no model.safetensors: `sweep studies` and `sweep top STUDY` list the trials", from, a.db)
	}
	return body, err
}

// fits tries some configurations of a spec and says of the first what starts from st. It fails where nothing does in any.
func (st *start) fits(ctx context.Context, s study.Spec, train, validation *dataset.Images) (note string, err error) {
	random := s
	random.Method = "random"
	smp, err := sampler.New(random)
	if err != nil {
		return "", err
	}
	configure := configurerOf(s.Trainer, train, validation, st)
	var none error
	differ := false
	var first []string
	for i := range planSamples {
		params, err := smp.Sample(ctx, study.Ask{Number: i, Seed: s.Seed, Space: s.Space, Objective: s.Objective})
		if err != nil {
			return "", err
		}
		c, err := configure(study.Grant{Spec: s, Params: params})
		if err != nil {
			continue // of that trial alone
		}
		if err := trainer.Fits(c.Config, st.weights); err != nil {
			none = err
			continue
		}
		from, missing := trainer.Fit(c.Config, st.weights)
		if note != "" {
			differ = differ || !slices.Equal(first, missing)
			continue
		}
		first = missing
		note = fmt.Sprintf("trials start from %s (%.12s): all %d arrays", st.from, st.digest, len(from))
		if len(missing) > 0 {
			note = fmt.Sprintf("trials start from %s (%.12s): %d of %d arrays; at random: %s", st.from, st.digest,
				len(from)-len(missing), len(from), trainer.Some(missing))
		}
	}
	if differ {
		note += " (in other trials others)"
	}
	if note == "" {
		return "", none
	}
	return note, nil
}

// unchanged reports that init_from no longer names the weights that a study was created with.
func (st *start) unchanged(s study.Study) error {
	if st == nil || st.digest == s.Spec.InitDigest {
		return nil
	}
	return fmt.Errorf("init_from: %s is not the file that study %s was created with (%.12s, now %.12s): bring that back, or start another study with --name",
		st.from, s.Name, s.Spec.InitDigest, st.digest)
}
