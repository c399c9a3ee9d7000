package dataset

import (
	"context"
	"fmt"
	"strings"

	"sweep/study"
)

// set is a data set with a name of its own.
type set interface {
	decl() study.DataDecl
	// folderIn is where its files lie under the data folder; empty for a set that is made in memory.
	folderIn(dir string) string
	// open looks at names and sizes alone.
	open(dir string) (Source, error)
	// missing lists what has to be downloaded for the set to be there, none when every sum is right.
	missing(ctx context.Context, dir string) ([]missingFile, error)
	// verify reads everything.
	verify(ctx context.Context, dir string) ([]Check, error)
}

// sets lists them in the order of the documentation.
func sets() []set { return []set{cifar10(), mnist(), shapesSet{}} }

func find(name string) (set, error) {
	var names []string
	for _, s := range sets() {
		if s.decl().Name == name {
			return s, nil
		}
		names = append(names, s.decl().Name)
	}
	return nil, fmt.Errorf("there is no data set %q: the data sets are %s, and %s with the path of a folder of images",
		name, strings.Join(names, ", "), folderPrefix)
}
