package study

// Declaration declares one parameter of a trainer, so that checks, nearest names, help and labels of pages come from
// one place.
type Declaration struct {
	Name    string
	Kind    Kind     // Categorical for a choice of words
	List    bool     // the value is a list of numbers of this kind (filters)
	Low     float64  // least value, included unless OpenLow
	High    float64  // greatest value, included
	OpenLow bool     // Low itself is not allowed
	Words   []string // of a Categorical, those that are built
	Later   []string // words of the contract that are not built yet
	Default any
	Unbuilt bool // the whole parameter is of the contract but not built yet: only its default is accepted
	Doc     string
}

// Catalogue is what a trainer declares about itself.
type Catalogue struct {
	Trainer string        // its name in a sweep file: "cae"
	Params  []Declaration // in the order of the documentation
	Metrics []MetricDecl  // what it reports
	Data    []DataDecl    // the data sets that it can name
}

// MetricDecl declares a metric that a trainer reports.
type MetricDecl struct {
	Key       string
	Direction Direction // which way is better; empty when neither is
	Doc       string
}

// DataDecl declares a data set: how many images its training and its test files hold.
type DataDecl struct {
	Name        string
	Train, Test int
	Doc         string
}

// Param finds the declaration of the parameter called name.
func (c Catalogue) Param(name string) (Declaration, bool) {
	for _, d := range c.Params {
		if d.Name == name {
			return d, true
		}
	}
	return Declaration{}, false
}

// Metric finds the declaration of the metric called key.
func (c Catalogue) Metric(key string) (MetricDecl, bool) {
	for _, d := range c.Metrics {
		if d.Key == key {
			return d, true
		}
	}
	return MetricDecl{}, false
}
