package checkpoint

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"sweep/trainer"
	"sweep/trainer/model"
)

// Formats, as they stand in the metadata under "format".
const (
	stateFormat = "sweep checkpoint 1"
	modelFormat = "sweep model 1"
)

// groups are the parts of a state, each under its prefix.
var groups = [...]string{"weights.", "best.", "m.", "v."}

// counters is what a state holds beside its tensors. Floats are the 16 hexadecimal digits of their bits: exact, and able
// to be NaN or infinite.
type counters struct {
	Epoch   int               `json:"epoch"`
	Step    int64             `json:"step"`
	Stop    trainer.StopState `json:"stop"`
	Best    string            `json:"best"`
	Metrics map[string]string `json:"metrics"`
}

// Encode writes a state as one file in safetensors layout: the tensors under the prefixes "weights.", "best.", "m." and
// "v.", counters and the network's configuration in the metadata, a checksum over all. Equal states give equal bytes. It
// fails when the tensors are not those of the configuration's network.
func Encode(st *trainer.State, c trainer.Config) ([]byte, error) {
	b, err := encode(st, c.Config)
	if err != nil {
		return nil, fmt.Errorf("encode a checkpoint: %w", err)
	}
	return b, nil
}

func encode(st *trainer.State, c model.Config) ([]byte, error) {
	if err := checkState(st, c); err != nil {
		return nil, err
	}
	n := counters{Epoch: st.Epoch, Step: st.Step, Stop: st.Stop, Best: bitsOf(st.Stop.Best), Metrics: map[string]string{}}
	for k, v := range st.Stop.Metrics {
		n.Metrics[k] = bitsOf(v)
	}
	meta, err := metadata(stateFormat, c)
	if err != nil {
		return nil, err
	}
	j, err := json.Marshal(n)
	if err != nil {
		return nil, err
	}
	meta["state"] = string(j)
	var tensors []trainer.Tensor
	for g, list := range [...][]trainer.Tensor{st.Weights, st.Best, st.M, st.V} {
		for _, t := range list {
			t.Name = groups[g] + t.Name
			tensors = append(tensors, t)
		}
	}
	return pack(meta, tensors)
}

// Decode reads what [Encode] wrote. Truncated, altered or foreign bytes are errors.
func Decode(b []byte) (*trainer.State, error) {
	st, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("read a checkpoint of %d bytes: %w", len(b), err)
	}
	return st, nil
}

func decode(b []byte) (*trainer.State, error) {
	meta, tensors, err := unpack(b)
	if err != nil {
		return nil, err
	}
	c, err := configOf(meta, stateFormat, "state")
	if err != nil {
		return nil, err
	}
	var n counters
	if err := json.Unmarshal([]byte(meta["state"]), &n); err != nil {
		return nil, fmt.Errorf("read the counters: %w", err)
	}
	st := &trainer.State{Epoch: n.Epoch, Step: n.Step, Stop: n.Stop}
	if st.Stop.Best, err = ofBits(n.Best); err != nil {
		return nil, fmt.Errorf("read the best objective: %w", err)
	}
	if len(n.Metrics) > 0 {
		st.Stop.Metrics = make(map[string]float64, len(n.Metrics))
	}
	for k, v := range n.Metrics {
		if st.Stop.Metrics[k], err = ofBits(v); err != nil {
			return nil, fmt.Errorf("read metric %s: %w", k, err)
		}
	}
	lists := [...]*[]trainer.Tensor{&st.Weights, &st.Best, &st.M, &st.V}
	for _, t := range tensors {
		g := slices.IndexFunc(groups[:], func(p string) bool { return strings.HasPrefix(t.Name, p) })
		if g < 0 {
			return nil, fmt.Errorf("tensor %s belongs to no part of a state", t.Name)
		}
		t.Name = strings.TrimPrefix(t.Name, groups[g])
		*lists[g] = append(*lists[g], t)
	}
	if err := checkState(st, c); err != nil {
		return nil, err
	}
	return st, nil
}

// EncodeModel writes a network's weights as a safetensors file that any reader of the format opens, the configuration as
// JSON in its metadata under "config".
func EncodeModel(c trainer.Config, weights []trainer.Tensor) ([]byte, error) {
	b, err := encodeModel(c.Config, weights)
	if err != nil {
		return nil, fmt.Errorf("encode a model: %w", err)
	}
	return b, nil
}

func encodeModel(c model.Config, weights []trainer.Tensor) ([]byte, error) {
	if err := checkTensors(weights, c, "weights"); err != nil {
		return nil, err
	}
	meta, err := metadata(modelFormat, c)
	if err != nil {
		return nil, err
	}
	return pack(meta, weights)
}

// DecodeModel reads what [EncodeModel] wrote, the weights in the order of [model.Config.Weights].
func DecodeModel(b []byte) (model.Config, []trainer.Tensor, error) {
	c, weights, err := decodeModel(b)
	if err != nil {
		return c, nil, fmt.Errorf("read a model of %d bytes: %w", len(b), err)
	}
	return c, weights, nil
}

func decodeModel(b []byte) (model.Config, []trainer.Tensor, error) {
	meta, weights, err := unpack(b)
	if err != nil {
		return model.Config{}, nil, err
	}
	c, err := configOf(meta, modelFormat)
	if err != nil {
		return c, nil, err
	}
	return c, weights, checkTensors(weights, c, "weights")
}

func metadata(format string, c model.Config) (map[string]string, error) {
	j, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return map[string]string{"format": format, "config": string(j)}, nil
}

// configOf reads the configuration out of metadata that hold it, the format and the keys of more, and nothing else.
func configOf(meta map[string]string, format string, more ...string) (c model.Config, err error) {
	if meta["format"] != format {
		return c, fmt.Errorf("the format is %q, not %q", meta["format"], format)
	}
	if len(meta) != 2+len(more) {
		return c, fmt.Errorf("the metadata have %d keys instead of %d", len(meta), 2+len(more))
	}
	if err := json.Unmarshal([]byte(meta["config"]), &c); err != nil {
		return c, fmt.Errorf("read the configuration: %w", err)
	}
	return c, checkConfig(c)
}

// checkConfig bounds the numbers of a configuration too, so that no shape made of them overflows.
func checkConfig(c model.Config) error {
	const most = 1 << 14
	for _, n := range append([]int{c.Channels, c.Height, c.Width, c.Kernel, c.Latent, len(c.Filters)}, c.Filters...) {
		if n > most {
			return fmt.Errorf("the configuration holds %d, which is more than %d", n, most)
		}
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("the configuration is no network: %w", err)
	}
	return nil
}

func checkState(st *trainer.State, c model.Config) error {
	if err := checkConfig(c); err != nil {
		return err
	}
	if st.Epoch < 0 || st.Step < 0 || st.Stop.BestEpoch < 0 || st.Stop.Bad < 0 {
		return fmt.Errorf("a counter is negative: epoch %d, step %d, best epoch %d, bad epochs %d",
			st.Epoch, st.Step, st.Stop.BestEpoch, st.Stop.Bad)
	}
	if err := checkTensors(st.Weights, c, "weights"); err != nil {
		return err
	}
	for _, l := range []struct {
		what string
		list []trainer.Tensor
	}{{"best weights", st.Best}, {"first moments", st.M}, {"second moments", st.V}} {
		if len(l.list) == 0 {
			continue
		}
		if err := checkTensors(l.list, c, l.what); err != nil {
			return err
		}
	}
	return nil
}

// checkTensors says how a list differs from the trainable arrays of c's network.
func checkTensors(list []trainer.Tensor, c model.Config, what string) error {
	if err := checkConfig(c); err != nil {
		return err
	}
	want := c.Weights()
	if len(list) != len(want) {
		return fmt.Errorf("%s: %d tensors, but the network has %d", what, len(list), len(want))
	}
	for i, w := range want {
		t := list[i]
		if t.Name != w.Name || !slices.Equal(t.Shape, w.Shape) {
			return fmt.Errorf("%s: tensor %d is %s %v, but the network has %s %v there", what, i, t.Name, t.Shape, w.Name, w.Shape)
		}
		if n, ok := elements(t.Shape); !ok || n != len(t.Data) {
			return fmt.Errorf("%s: tensor %s has %d values for the shape %v", what, t.Name, len(t.Data), t.Shape)
		}
	}
	return nil
}

func bitsOf(v float64) string { return fmt.Sprintf("%016x", math.Float64bits(v)) }

func ofBits(s string) (float64, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("%q is no float of 16 hexadecimal digits", s)
	}
	return math.Float64frombits(n), nil
}
