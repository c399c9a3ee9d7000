package study

// Spec is a checked sweep file. Package study/spec makes it; the store keeps it as JSON.
type Spec struct {
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Method      string     `json:"method"` // a sampler's name: random, tpe, …
	Objective   Objective  `json:"objective"`
	RunCap      int        `json:"run_cap"`                // number of trials; at least 1
	FileRunCap  int        `json:"file_run_cap,omitempty"` // what the file said when the study was created, before --trials
	Space       Space      `json:"space"`                  // every parameter of the file, fixed ones with a single value
	Trainer     string     `json:"trainer"`                // "cae"
	Data        DataSpec   `json:"data"`
	Epochs      int        `json:"epochs"` // at most, a trial
	Seed        uint64     `json:"seed"`
	Pruner      PrunerSpec `json:"pruner"`
	Workers     int        `json:"workers"` // trials at once; 0: as many as the devices have room for
	// Devices are where trials are trained, see study/spec.Devices; empty: wherever they can be.
	Devices []string `json:"devices,omitempty"`
	// Precision is that of a GPU's arithmetic: tf32, bf16, or empty for fp32. A core computes in fp32 whatever it is.
	Precision string `json:"precision,omitempty"`
	Retries   int    `json:"retries"` // further attempts after ones that failed by themselves
	// KeepCheckpoints is for how many of the best finished trials the weights are kept.
	KeepCheckpoints int `json:"keep_checkpoints"`
	// InitFrom names trained weights that trials start from: STUDY/NUMBER, a bundle's folder or a file. InitDigest is the
	// SHA-256 of the model file that this was when the study was created. Empty: trials start from random weights.
	InitFrom   string `json:"init_from,omitempty"`
	InitDigest string `json:"init_digest,omitempty"`
}

// DataSpec names the data of a sweep: the first of Names that can be had, and how many images of its training files
// are trained on and validated on. They are drawn by seed.
type DataSpec struct {
	Names      []string `json:"names"`
	Train      int      `json:"train"`
	Validation int      `json:"validation"`
	// Size is the side to which the images of a folder are cropped and resized; 0 leaves them as they are.
	Size int `json:"size,omitempty"`
}

// PrunerSpec names a pruner and its settings. The zero value prunes nothing.
type PrunerSpec struct {
	Name      string `json:"name,omitempty"`       // "asha", or "" for none
	MinEpochs int    `json:"min_epochs,omitempty"` // asha: the first rung
	Reduction int    `json:"reduction,omitempty"`  // asha: one of so many goes on
}
