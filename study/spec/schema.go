package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"

	"sweep/study"
)

// object is a part of a JSON Schema.
type object map[string]any

// Schema is a JSON Schema (draft 07, the one that editors read best) of the sweep files of the trainers that the catalogues
// describe, the default first. It knows keys, words and ranges; what depends on more than one place (how many filters a
// depth needs, how many images a set has) only [Parse] knows.
func Schema(trainers ...study.Catalogue) []byte {
	definitions := formSchemas()
	for _, c := range trainers {
		definitions["parameters-"+c.Trainer] = parametersSchema(c, trainers[0])
		definitions["metric-"+c.Trainer] = metricSchema(c)
	}
	root := object{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       "A sweep file",
		"description": "What is searched, on which data, for how long. The keys outside of sweep are those of Weights & Biases.",
		"type":        "object",
		"properties":  properties(topKeys, topSchema(trainers)),
		"required":    []string{"parameters"},

		"additionalProperties": false,
		"definitions":          definitions,
	}
	byTrainer(root, trainers)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(root); err != nil {
		panic("spec: a schema that is no JSON: " + err.Error()) // it is made of texts, numbers and lists
	}
	return b.Bytes()
}

// byTrainer adds to a schema what parameters and metric are for each trainer: the first one's where none is named.
func byTrainer(to object, trainers []study.Catalogue) {
	last := trainers[len(trainers)-1]
	own := object{"properties": object{
		"parameters": object{"$ref": "#/definitions/parameters-" + last.Trainer},
		"metric":     object{"$ref": "#/definitions/metric-" + last.Trainer},
	}}
	if len(trainers) == 1 {
		to["allOf"] = []any{own}
		return
	}
	rest := object{}
	byTrainer(rest, trainers[:len(trainers)-1])
	to["if"] = object{
		"properties": object{"sweep": object{"type": "object", "properties": object{"trainer": object{"const": last.Trainer}}, "required": []string{"trainer"}}},
		"required":   []string{"sweep"},
	}
	to["then"], to["else"] = own, rest
}

// properties takes the schemas of keys. One without a schema is a mistake of this package, which its test finds.
func properties(keys []string, schemas object) object {
	out := object{}
	for _, k := range keys {
		s, ok := schemas[k]
		if !ok {
			panic("spec: the key " + k + " has no schema: write one in schema.go")
		}
		out[k] = s
	}
	return out
}

// closed is an object that has no other keys than these.
func closed(doc string, keys []string, schemas object) object {
	return object{"type": "object", "description": doc, "properties": properties(keys, schemas), "additionalProperties": false}
}

func count(least int, standard any, doc string) object {
	return wholeNumber(least, maxCount, standard, doc)
}

func wholeNumber(least, most int, standard any, doc string) object {
	o := object{"type": "integer", "minimum": least, "maximum": most, "description": doc}
	if standard != nil {
		o["default"] = standard
	}
	return o
}

func oneOf(words []string, standard, doc string) object {
	return object{"enum": words, "default": standard, "description": doc}
}

func topSchema(trainers []study.Catalogue) object {
	return object{
		"name":        object{"type": "string", "maxLength": 100, "pattern": `^[^\s\-./\\][^/\\]*$`, "description": "of the study; the file's base name without it"},
		"description": object{"type": "string", "maxLength": 10_000, "description": "a sentence for the pages"},
		"method":      oneOf(methods, DefaultMethod, "how configurations are proposed"),
		"metric":      object{"type": "object", "description": "the objective"},
		"parameters":  object{"type": []string{"object", "null"}, "description": "what is searched or fixed; the rest has its default"},
		"run_cap":     count(1, DefaultRunCap, "number of trials"),
		"sweep":       closed("all that Weights & Biases has no word for", sweepKeys, sweepSchema(trainers)),
	}
}

// deviceList is a list of devices by comma, see [Devices].
var deviceList = object{
	"type":    "string",
	"pattern": `^\s*(cpu|cuda|(cpu|cuda):[0-9]+|(cuda:)?(MIG|GPU)-[^,\s]+)\s*(,\s*(cpu|cuda|((cpu|cuda):)?[0-9]+|(cuda:)?(MIG|GPU)-[^,\s]+)\s*)*$`,
}

func sweepSchema(trainers []study.Catalogue) object {
	var names []string
	for _, c := range trainers {
		names = append(names, c.Trainer)
	}
	return object{
		"trainer": oneOf(names, names[0], "what is trained"),
		"data":    dataSchema(trainers[0].Data),
		"epochs":  count(1, DefaultEpochs, "epochs of a trial at most"),
		"seed":    object{"type": "integer", "minimum": 0, "maximum": json.Number("18446744073709551615"), "default": DefaultSeed, "description": "of everything random"},
		"pruner":  prunerSchema(),
		"workers": count(0, 0, "trials at once; 0: one a core, and as many as fit on a GPU"),
		"devices": object{
			"anyOf":       []any{deviceList, object{"type": "array", "items": object{"anyOf": []any{deviceList, object{"type": "integer", "minimum": 0}}}, "minItems": 1}},
			"description": "where trials are trained: cpu, cuda, or single ones such as cuda:0,1; without it wherever they can be",
		},
		"precision": oneOf(Precisions, Precisions[0], "of a GPU's arithmetic: fp32; tf32: products on tensor cores; bf16: values between layers in 16 bits, too"),
		"retries":   count(0, DefaultRetries, "further attempts of a trial that failed by itself"),

		"init_from": object{
			"type": "string", "minLength": 1, "maxLength": 4096,
			"description": "trained weights that trials start from: STUDY/NUMBER, an exported folder or its model.safetensors",
		},
		"keep_checkpoints": count(0, DefaultKeepCheckpoints, "for how many of the best trials the weights are kept"),
	}
}

func prunerSchema() object {
	o := closed("which trials are stopped early", prunerKeys, object{
		"name":       object{"enum": pruners, "description": "none, or asha: after so many epochs only the best part goes on"},
		"min_epochs": count(1, DefaultMinEpochs, "of asha: the first epoch at which trials are stopped"),
		"reduction":  count(2, DefaultReduction, "of asha: one in so many goes on"),
	})
	o["required"] = []string{"name"}
	o["if"] = object{"properties": object{"name": object{"const": "none"}}}
	o["then"] = object{"propertyNames": object{"const": "name"}}
	return o
}

func dataSchema(sets []study.DataDecl) object {
	var words, docs []string
	var kinds []any
	size := wholeNumber(1, maxCount, nil, "")
	for _, d := range sets {
		if d.Prefix == "" {
			words = append(words, d.Name)
			docs = append(docs, d.Doc)
			continue
		}
		kinds = append(kinds, object{"type": "string", "pattern": "^" + regexp.QuoteMeta(d.Prefix) + ".+", "description": d.Name + ": " + d.Doc})
		size = wholeNumber(d.MinSide, d.MaxSide, nil, "side to which the images of "+d.Name+" are cropped and resized; without it all have one size")
	}
	one := object{"anyOf": append([]any{object{"enum": words, "enumDescriptions": docs}}, kinds...)}
	return closed("the images", dataKeys, object{
		"name": object{
			"anyOf":       []any{one, object{"type": "array", "items": one, "minItems": 1, "uniqueItems": true}},
			"default":     DefaultData(),
			"description": "a data set, or a list of which the first that can be had is taken",
		},
		"train":      count(1, DefaultTrain, "images to train on, drawn by the seed"),
		"validation": count(1, DefaultValidation, "images to validate on, drawn by the seed"),
		"size":       size,
	})
}

// metricSchema offers what can be the objective, and its direction alone as the goal.
func metricSchema(c study.Catalogue) object {
	var keys, docs []string
	conditions := []any{}
	for _, way := range []study.Direction{study.Minimize, study.Maximize} {
		var these []string
		for _, m := range c.Metrics {
			if m.Direction == way && !m.Unbuilt && !m.Timing && !m.Sparse {
				these = append(these, m.Key)
				keys, docs = append(keys, m.Key), append(docs, m.Doc)
			}
		}
		if len(these) > 0 {
			conditions = append(conditions, object{
				"if":   object{"properties": object{"name": object{"enum": these}}, "required": []string{"name"}},
				"then": object{"properties": object{"goal": object{"const": way}}},
			})
		}
	}
	o := closed("the objective", metricKeys, object{
		"name":   object{"enum": keys, "enumDescriptions": docs, "default": c.Objective, "description": "the metric that is searched"},
		"goal":   object{"enum": []study.Direction{study.Minimize, study.Maximize}, "description": "which way is better"},
		"target": object{"type": "number", "description": "the study ends once a trial reaches it"},
	})
	o["allOf"] = conditions
	return o
}

// parametersSchema refers to those of the first trainer where they are the same.
func parametersSchema(c, first study.Catalogue) object {
	of := object{}
	for _, d := range c.Params {
		of[d.Name] = parameterSchema(d)
		if same, ok := first.Param(d.Name); ok && c.Trainer != first.Trainer && reflect.DeepEqual(same, d) {
			of[d.Name] = object{"$ref": "#/definitions/parameters-" + first.Trainer + "/properties/" + d.Name}
		}
	}
	return object{"type": []string{"object", "null"}, "properties": of, "additionalProperties": false}
}

// parameterSchema is of one parameter: a value, values, or a range with the keys that go with it.
func parameterSchema(d study.Declaration) object {
	value := valueSchema(d)
	doc := fmt.Sprintf("%s: %s; %s without it", d.Doc, d.Range(), exact(normalList(d.Default)))
	all := object{
		"value":        value,
		"values":       object{"type": "array", "items": value, "minItems": 1, "maxItems": maxChoices, "uniqueItems": true},
		"distribution": object{"enum": distributions},
	}
	keys := []string{"value", "values", "distribution"}
	form := choiceForm
	if !d.Unbuilt && !d.List && d.Kind != study.Categorical {
		keys = append(keys, "min", "max", "q")
		all["min"], all["max"] = value, value
		all["q"] = object{"type": "number", "exclusiveMinimum": 0, "description": "the step of q_uniform"}
		if form = wholeForm; d.Kind == study.Float {
			form = realForm
		}
	}
	o := closed(doc, keys, all)
	o["allOf"] = []any{object{"$ref": "#/definitions/" + form}}
	return o
}

// The forms of a parameter, by what its values are.
const (
	choiceForm = "choice"
	wholeForm  = "whole"
	realForm   = "real"
)

// formSchemas say which keys of a parameter go together.
func formSchemas() object {
	only := func(kinds []string, required []string) object {
		return object{
			"required": required, "propertyNames": object{"enum": append(slices.Clone(required), "distribution")},
			"properties": object{"distribution": object{"enum": kinds}},
		}
	}
	fixed, listed := only([]string{constant}, []string{"value"}), only([]string{categorical}, []string{"values"})
	ends := []string{"min", "max"}
	stepped := only([]string{qUniform}, []string{"min", "max", "q"})
	stepped["required"] = []string{"min", "max", "q", "distribution"}
	return object{
		choiceForm: object{"oneOf": []any{fixed, listed}},
		wholeForm:  object{"oneOf": []any{fixed, listed, stepped, only([]string{intUniform, logUniform}, ends)}},
		realForm:   object{"oneOf": []any{fixed, listed, stepped, only([]string{intUniform, uniform, logUniform}, ends)}},
	}
}

// valueSchema is of one value.
func valueSchema(d study.Declaration) object {
	if d.Unbuilt {
		return object{"const": d.Default}
	}
	if d.List {
		one := d
		one.List = false
		return object{"type": "array", "items": valueSchema(one), "minItems": 1, "maxItems": maxChoices}
	}
	if d.Kind == study.Categorical {
		return object{"enum": d.Words}
	}
	o := object{"type": "number", "minimum": d.Low, "maximum": d.High}
	if d.Kind == study.Int {
		o["type"] = "integer"
	}
	if d.OpenLow {
		delete(o, "minimum")
		o["exclusiveMinimum"] = d.Low
	}
	// A schema's multiples are of 0: steps from elsewhere are listed, as few as there are.
	if d.Step > 1 {
		if math.Mod(d.Low, d.Step) == 0 {
			o["multipleOf"] = d.Step
			return o
		}
		var list []float64
		for v := d.Low; v <= d.High; v += d.Step {
			list = append(list, v)
		}
		return object{"enum": list}
	}
	return o
}
