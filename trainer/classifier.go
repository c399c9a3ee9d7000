package trainer

import (
	"fmt"
	"slices"

	"sweep/study"
	"sweep/trainer/dataset"
	"sweep/trainer/model"
)

// classifier is the name of the trainer in a sweep file.
const classifier = "classifier"

// ofDecoder are the parameters of an autoencoder that its encoder knows nothing of.
var ofDecoder = []string{"loss", "ssim_weight", "upsample", "output_activation", "task", "noise", "noise_level", "beta"}

// ClassifierCatalogue declares the trainer "classifier": the encoder of a cae with the same parameters, and a dense layer
// from its code to the classes of the images, trained by cross-entropy.
func ClassifierCatalogue(data []study.DataDecl) study.Catalogue {
	c := study.Catalogue{Trainer: classifier, Data: slices.Clone(data), Objective: "val_acc"}
	for _, d := range declarations() {
		switch {
		case slices.Contains(ofDecoder, d.Name):
			continue
		case d.Name == "depth":
			d.Doc = "convolutions"
		case d.Name == "variant":
			// The others differ from plain in the decoder, the loss or the input alone: their encoders are plain ones.
			d.Words = slices.DeleteFunc(slices.Clone(d.Words), func(w string) bool {
				return w != "plain" && w != "residual" && w != "attention"
			})
			d.Doc = "the kind of encoder; that of any other autoencoder is a plain one"
		}
		c.Params = append(c.Params, d)
	}
	c.Params = append(c.Params, words("freeze", "none", []string{"none", "encoder"}, nil,
		"encoder: training changes the last layer alone, for an encoder from elsewhere"))
	for _, m := range metrics() {
		switch {
		case m.With != "" || m.Sparse || m.Key == "val_pixel_acc":
			continue
		case m.Key == "val_loss":
			m.Doc = "cross-entropy on the validation images"
		}
		c.Metrics = append(c.Metrics, m)
		if m.Key == "val_loss" {
			c.Metrics = append(c.Metrics, study.MetricDecl{
				Key: "val_acc", Direction: study.Maximize, Doc: "share of the validation images that are taken for their class",
			})
		}
	}
	return c
}

// DecodeFor is [Decode] for the trainer of that name.
func DecodeFor(trainer string, p study.Params) (Config, error) {
	switch trainer {
	case "", "cae":
		return Decode(p)
	case classifier:
		return decodeClassifier(p)
	}
	return Config{}, fmt.Errorf("there is no trainer %s", trainer)
}

func decodeClassifier(p study.Params) (Config, error) {
	shared := study.Params{}
	freeze := "none"
	known := ClassifierCatalogue(nil)
	for name, v := range p {
		d, ok := known.Param(name)
		if !ok {
			return Config{}, fmt.Errorf("parameter %s: the trainer %s has none of that name", name, classifier)
		}
		if err := d.Check(v); err != nil {
			return Config{}, fmt.Errorf("parameter %s: %w", name, err)
		}
		if name == "freeze" {
			freeze = v.(string) // as its Check has settled
			continue
		}
		shared[name] = v
	}
	c, err := Decode(shared)
	if err != nil {
		return c, err
	}
	c.Task, c.Freeze = model.Classify, freeze
	c.byClasses()
	return c, nil
}

// byClasses makes the loss and the output those of a network that is trained on classes.
func (c *Config) byClasses() {
	c.Loss, c.SSIMWeight, c.OutputActivation = "cross_entropy", 0, "none"
}

// Use gives c its images, and with them the sizes and classes of its network.
func (c *Config) Use(train, validation *dataset.Images) {
	c.Train, c.Validation = train, validation
	c.Channels, c.Height, c.Width = train.Channels, train.Height, train.Width
	switch c.Task {
	case model.Segment:
		c.Classes = len(train.MaskClasses)
	case model.Classify:
		c.Classes = len(train.Classes)
	}
}

// Needs reports why the trials of a sweep cannot be trained on a data set: it has no labels, or no masks, that they are
// trained on.
func Needs(s study.Spec, name string, train *dataset.Images) error {
	segment := false
	if d, ok := s.Space.Lookup("task"); ok {
		segment = slices.Contains(d.Distribution.Choices, any(model.Segment))
	}
	switch {
	case s.Trainer == classifier && !labelled(train):
		return fmt.Errorf("the trainer %s needs images with labels of at least two classes, and the data set %s has none: choose another under data", classifier, name)
	case segment && train.Masks == nil:
		return fmt.Errorf("task segment needs the class of each pixel, and the data set %s has no masks: write data: {name: shapes}", name)
	}
	return nil
}

// Labels are what the network of c is held against, beside images: a class for each pixel, or for each image; nil where it is
// the images themselves.
func Labels(c model.Config, s *dataset.Images) []byte {
	switch c.Task {
	case model.Segment:
		return s.Masks
	case model.Classify:
		return s.Labels
	}
	return nil
}

// LabelsFit reports what keeps the network of c from being trained or judged on the labels of a set, called name in its error.
func LabelsFit(c model.Config, name string, s *dataset.Images) error {
	if !c.Labelled() {
		return nil
	}
	what := "labels"
	if c.Task == model.Segment {
		what = "masks"
	}
	list := Labels(c, s)
	if len(list) != s.Len()*c.LabelsEach() {
		return fmt.Errorf("the %s images have no %s, which task %s needs; use a data set that has them", name, what, c.Task)
	}
	for _, class := range list {
		if int(class) >= c.Classes {
			return fmt.Errorf("the %s of the %s images go up to class %d, but there are %d classes", what, name, slices.Max(list), c.Classes)
		}
	}
	return nil
}
