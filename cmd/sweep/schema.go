package main

import (
	"github.com/spf13/cobra"

	"sweep/study/spec"
	"sweep/trainer"
	"sweep/trainer/dataset"
)

func (a *app) schemaVerb() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of sweep files, by which editors complete and check them", Args: cobra.NoArgs,
		Long: `Print the JSON Schema of sweep files. Editors with the YAML language server use it where a file begins with

  # yaml-language-server: $schema=sweep.schema.json`,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(spec.Schema(trainer.Catalogues(dataset.Catalogue())...))
			return err
		},
	}
}
