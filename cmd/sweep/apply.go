package main

import "github.com/spf13/cobra"

func (a *app) applyVerb() *cobra.Command {
	return &cobra.Command{
		Use: "apply DIR IMAGE...", Short: "Run an exported model on your own images (not built yet)", Args: cobra.ArbitraryArgs,
		DisableFlagParsing: true,
		RunE:               func(*cobra.Command, []string) error { return unbuilt("`sweep apply`") },
	}
}
