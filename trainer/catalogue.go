package trainer

import (
	"fmt"
	"math"
	"slices"

	"sweep/study"
	"sweep/trainer/model"
)

// Catalogue declares the trainer "cae", a convolutional autoencoder: its parameters with range and default, what it
// reports, and the data sets that it can be given.
func Catalogue(data []study.DataDecl) study.Catalogue {
	return study.Catalogue{Trainer: "cae", Params: declarations(), Metrics: metrics(), Data: slices.Clone(data), Objective: "val_mse"}
}

// Catalogues declares all built-in trainers, the default first.
func Catalogues(data []study.DataDecl) []study.Catalogue {
	return []study.Catalogue{Catalogue(data), ClassifierCatalogue(data)}
}

// ofPictures are the tasks whose output is a picture.
func ofPictures() []string { return []string{"reconstruct", "inpaint", "superresolve"} }

func words(name, def string, built, later []string, doc string) study.Declaration {
	return study.Declaration{Name: name, Kind: study.Categorical, Words: built, Later: later, Default: def, Doc: doc}
}

func whole(name string, low, high float64, def int64, doc string) study.Declaration {
	return study.Declaration{Name: name, Kind: study.Int, Low: low, High: high, Default: def, Doc: doc}
}

func declarations() []study.Declaration {
	filters := whole("filters", 1, 1024, 0, "channels of each convolution; the first depth numbers are used")
	filters.List, filters.AtLeast = true, "depth"
	filters.Default = []any{int64(16), int64(32), int64(64), int64(128), int64(256)}
	kernel := whole("kernel", 1, 7, 3, "side of the convolution kernel, odd")
	kernel.Step = 2
	number := func(name string, high, def float64, doc string) study.Declaration {
		return study.Declaration{Name: name, Kind: study.Float, Low: 0, High: high, Default: def, Doc: doc}
	}
	weightDecay := number("weight_decay", 1, 0, "decay of the weights beside the gradient, of adamw and sgd; with adam use l2")
	weightDecay.With, weightDecay.WithWords = "optimizer", []string{"adamw", "sgd"}
	// ofPicture is a parameter that a network on classes makes nothing of.
	ofPicture := func(d study.Declaration) study.Declaration {
		d.With, d.WithWords = "task", ofPictures()
		return d
	}
	onlyWith := func(variant string, d study.Declaration) study.Declaration {
		d.With, d.WithWords = "variant", []string{variant}
		return d
	}
	// clash is d without values that make no network where the parameter with is one of words.
	clash := func(d study.Declaration, values []any, with string, words []string, doc string) study.Declaration {
		d.Clashes = append(d.Clashes, study.Clash{Values: values, With: with, Words: words, Doc: doc})
		return d
	}
	kernel = clash(kernel, []any{int64(1)}, "variant", []string{model.SegNet}, "three of four pixels would be left to the bias, use at least 3")
	upsample := clash(words("upsample", "k2", []string{"k2", "k3"}, nil, "transposed convolution with stride 2: k2 is 2x2, k3 is 3x3 and overlaps"),
		[]any{"k3"}, "variant", []string{model.SegNet}, "it has no transposed convolutions, leave upsample out")
	depth := clash(whole("depth", 1, 5, 3, "convolutions in the encoder, and transposed ones in the decoder"),
		[]any{int64(1)}, "variant", []string{model.Skip}, "there is nothing to skip, use at least 2")
	variant := words("variant", "plain", []string{"plain", model.Skip, model.Residual, model.SegNet, model.Attention, "denoising", "variational"},
		nil, "the kind of autoencoder")
	variant = clash(variant, []any{"denoising"}, "task", []string{"inpaint", "superresolve"},
		"each makes the input from the image, use task reconstruct or another variant")
	variant = clash(variant, []any{"denoising", "variational"}, "task", []string{model.Segment},
		"it makes images and the task makes none, use another variant")
	task := words("task", "reconstruct", []string{"reconstruct", "inpaint", "superresolve", model.Segment},
		nil, "what the network is trained to do: its input is the image, the image with a hole, or at half its size; segment, on data with masks: the class of each pixel, by cross-entropy")
	task.OfMasks = []string{model.Segment}
	return []study.Declaration{
		{Name: "lr", Kind: study.Float, Low: 0, OpenLow: true, High: 10, Default: 0.001, Doc: "learning rate after warm-up"},
		whole("batch", 1, 1024, 64, "images in one optimiser step"),
		whole("latent", 1, 4096, 128, "numbers in the bottleneck"),
		ofPicture(words("loss", "mse", []string{"mse", "mae", "mse+ssim"}, nil, "what training minimises; mse+ssim is (1-w)·MSE + w·(1-SSIM)")),
		{Name: "ssim_weight", Kind: study.Float, Low: 0, High: 1, Default: 0.5, Doc: "w of mse+ssim"},
		words("optimizer", "adam", []string{"adam", "adamw", "sgd"}, nil, "the optimiser"),
		number("momentum", 0.9999, 0.9, "momentum of sgd"),
		weightDecay,
		number("l1", 1, 0, "penalty on the sizes of the weights, biases and norms not counted"),
		number("l2", 1, 0, "penalty on half the squares of the weights, biases and norms not counted"),
		number("clip_norm", 1e6, 0, "greatest 2-norm of the gradient, to which a longer one is shortened; 0: any"),
		words("init", "auto", []string{"auto", "he", "glorot"}, nil, "the law of the initial weights; auto: he before a rectifier, else glorot"),
		whole("warmup_epochs", 0, 1000, 0, "epochs over which the learning rate rises to lr"),
		words("schedule", "constant", []string{"constant", "cosine", "step"}, nil, "the learning rate after warm-up: cosine falls to 0 at the last epoch, step to a tenth at the half and again at three quarters"),
		whole("patience", 0, 1000, 5, "epochs without a better objective before the trial stops; 0: never"),
		depth,
		filters,
		kernel,
		upsample,
		words("activation", "relu", []string{"relu", "leaky_relu", "tanh", "sigmoid", "gelu"}, nil, "between layers"),
		ofPicture(words("output_activation", "sigmoid", []string{"sigmoid", "tanh", "none"}, nil, "after the last layer; tanh counts as (y+1)/2")),
		words("norm", "none", []string{"none", "batch", "layer"}, nil, "normalisation after each convolution: of a channel over the batch, or of each image"),
		number("dropout_conv", 0.95, 0, "share of values that a step drops after each stage of convolutions"),
		number("dropout_dense", 0.95, 0, "share of values that a step drops before the code's dense layer and after the decoder's"),
		words("flip", "none", []string{"none", "horizontal"}, nil, "horizontal: an epoch turns half of the training images left to right"),
		variant,
		task,
		onlyWith("denoising", words("noise", "gaussian", []string{"gaussian", "mask"}, nil, "what the input of denoising has and its target has not: noise, or black pixels")),
		onlyWith("denoising", number("noise_level", 1, 0.1, "standard deviation of gaussian noise, pixels in 0…1; share of the pixels of mask")),
		onlyWith("variational", number("beta", 1e6, 1, "weight of the divergence of the codes' laws in the loss")),
	}
}

func metrics() []study.MetricDecl {
	const down, up, neither = study.Minimize, study.Maximize, study.Direction("")
	picture := func(m study.MetricDecl) study.MetricDecl {
		m.With, m.WithWords = "task", ofPictures()
		return m
	}
	return []study.MetricDecl{
		{Key: "train_loss", Direction: down, Doc: "loss over the epoch's training steps"},
		{Key: "val_loss", Direction: down, Doc: "loss on the validation images; comparable only between trials with one loss"},
		picture(study.MetricDecl{Key: "val_mse", Direction: down, Doc: "mean squared error on the validation images"}),
		picture(study.MetricDecl{Key: "val_mae", Direction: down, Doc: "mean absolute error on the validation images"}),
		picture(study.MetricDecl{Key: "val_psnr", Direction: up, Doc: "peak signal-to-noise ratio in dB, of val_mse"}),
		picture(study.MetricDecl{Key: "val_ssim", Direction: up, Doc: "structural similarity, 1 for equal images"}),
		{
			Key: "val_miou", Direction: up, With: "task", WithWords: []string{model.Segment},
			Doc: "intersection over union of truth and prediction, mean over the classes that occur",
		},
		{Key: "val_pixel_acc", Direction: up, Doc: "share of values within 1/20 of the truth; with task segment of pixels with the right class"},
		{
			Key: "val_kl", Direction: down, With: "variant", WithWords: []string{"variational"},
			Doc: "divergence of the codes' laws from the standard normal one, nats an image",
		},
		{Key: probeKey, Direction: up, Sparse: true, Doc: "accuracy of a linear classifier on the latent codes, of data with labels; after epochs 5, 8, 13, 21 … and of the best weights"},
		{Key: "grad_norm", Direction: neither, Doc: "mean 2-norm of the gradient over the epoch's steps"},
		{Key: "epoch", Direction: neither, Doc: "epochs trained, from 1"},
		{Key: "epoch_s", Direction: down, Timing: true, Doc: "seconds an epoch took, validation included"},
		{Key: "images_per_s", Direction: up, Timing: true, Doc: "training images a second, validation excluded"},
		{Key: "learning_rate", Direction: neither, Doc: "learning rate of the epoch's last step"},
	}
}

// Decode lays p over the defaults of the catalogue. Of the result the caller fills in what is not a parameter: the
// images and their size, Epochs, Seed and Replicate. It fails on a parameter that is unknown or out of its range.
func Decode(p study.Params) (Config, error) {
	values := make(map[string]any, len(p))
	declared := declarations()
	for _, d := range declared {
		v, ok := p[d.Name]
		if !ok {
			v = d.Default
		} else if err := d.Check(v); err != nil {
			return Config{}, fmt.Errorf("parameter %s: %w", d.Name, err)
		}
		values[d.Name] = v
	}
	for _, d := range declared {
		for _, other := range declared {
			if word, ok := values[other.Name].(string); ok {
				if err := d.Fits(values[d.Name], other.Name, word); err != nil {
					return Config{}, fmt.Errorf("parameter %s: %w", d.Name, err)
				}
			}
		}
	}
	for name := range p {
		if _, ok := values[name]; !ok {
			return Config{}, fmt.Errorf("parameter %s: the trainer cae has none of that name", name)
		}
	}
	// Every value has passed its declaration's Check, which settles its type.
	word := func(name string) string { return values[name].(string) }
	float := func(name string) float64 {
		f, _ := study.AsFloat(values[name])
		return f
	}
	integer := func(name string) int { return int(math.Round(float(name))) }

	c := Config{
		Config: model.Config{
			Depth:            integer("depth"),
			Kernel:           integer("kernel"),
			Upsample:         word("upsample"),
			Latent:           integer("latent"),
			Activation:       word("activation"),
			OutputActivation: word("output_activation"),
			Loss:             word("loss"),
			SSIMWeight:       float("ssim_weight"),
			Init:             word("init"),
			Norm:             word("norm"),
			Variant:          word("variant"),
			Task:             word("task"),
			DropoutConv:      float("dropout_conv"),
			DropoutDense:     float("dropout_dense"),
		},
		Batch:        integer("batch"),
		LR:           float("lr"),
		WarmupEpochs: integer("warmup_epochs"),
		Schedule:     word("schedule"),
		Optimizer:    word("optimizer"),
		Momentum:     float("momentum"),
		WeightDecay:  float("weight_decay"),
		L1:           float("l1"),
		L2:           float("l2"),
		ClipNorm:     float("clip_norm"),
		Flip:         word("flip"),
		Patience:     integer("patience"),
	}
	// What a variant has no use for stays out, so that it makes no other model of the same one.
	switch c.Variant {
	case "denoising":
		c.Noise, c.NoiseLevel = word("noise"), float("noise_level")
	case "variational":
		c.Beta = float("beta")
	}
	for _, v := range values["filters"].([]any) {
		f, _ := study.AsFloat(v)
		c.Filters = append(c.Filters, int(f))
	}
	if c.Task == model.Segment {
		c.byClasses()
	}
	if len(c.Filters) < c.Depth {
		return Config{}, fmt.Errorf("parameter filters: %d numbers are too few for depth %d", len(c.Filters), c.Depth)
	}
	return c, nil
}
