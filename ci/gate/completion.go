package main

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/finwait/finwait/harness/kernel/debian"
	"github.com/finwait/finwait/harness/report"
	"github.com/finwait/finwait/harness/vm"
)

// complete has the shell complete the arguments of each command. What is offered is
// known without asking a mirror.
func complete(root *cobra.Command) {
	arguments := map[string]cobra.CompletionFunc{
		"run":        kernelArguments,
		"explore":    kernelArguments,
		"behaviours": kernelArguments,
		"kernels":    cobra.NoFileCompletions,
		"version":    cobra.NoFileCompletions,
		"compare":    files("json", "map"),
		"matrix":     files("yaml", "yml", "json"),
		"ladder":     scenarioThen(files("json")),
		"bisect":     scenarioThen(cobra.NoFileCompletions),
		stepName:     scenarioThen(kernelArguments),
		"export":     recordThenScenario,
	}
	flags := map[string]cobra.CompletionFunc{
		"baseline":     anyKernel,
		"good":         anyKernel,
		"bad":          anyKernel,
		"clock":        cobra.FixedCompletions([]string{string(vm.Virtual), string(vm.Real)}, cobra.ShellCompDirectiveNoFileComp),
		"format":       cobra.FixedCompletions(slices.Sorted(maps.Keys(formats)), cobra.ShellCompDirectiveNoFileComp),
		"out":          cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs),
		"label-filter": cobra.NoFileCompletions,
		"trials":       cobra.NoFileCompletions,
		"mirror":       cobra.NoFileCompletions,
		"shard":        cobra.NoFileCompletions,
		"budget":       cobra.NoFileCompletions,
		"want":         cobra.NoFileCompletions,
		"expect":       files("yaml", "yml"),
	}
	for _, cmd := range root.Commands() {
		cmd.ValidArgsFunction = arguments[cmd.Name()]
		for name, offer := range flags {
			if cmd.Flags().Lookup(name) != nil {
				_ = cmd.RegisterFlagCompletionFunc(name, offer) // it fails for a flag that there is not
			}
		}
	}
}

// kernelNames are the KERNEL arguments that stand for something on most machines.
func kernelNames() []string {
	names := []string{hostSource}
	for _, suite := range debian.KnownSuites() {
		names = append(names, "debian/"+suite)
	}
	return names
}

func anyKernel(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return kernelNames(), cobra.ShellCompDirectiveNoFileComp
}

// kernelArguments leaves out what is there already: a kernel is not named twice.
func kernelArguments(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	return slices.DeleteFunc(kernelNames(), func(name string) bool { return slices.Contains(args, name) }),
		cobra.ShellCompDirectiveNoFileComp
}

func files(extensions ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

// scenarioThen offers the scenarios of the records in the folder where gate run leaves
// them, and then what else the command takes.
func scenarioThen(others cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return others(cmd, args, typed)
		}
		records, _ := filepath.Glob(filepath.Join("finwait-out", "*", recordFileName)) // the pattern is well formed
		return scenariosIn(records...), cobra.ShellCompDirectiveNoFileComp
	}
}

func recordThenScenario(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return files("json")(cmd, args, typed)
	}
	return scenariosIn(args[0]), cobra.ShellCompDirectiveNoFileComp
}

// scenariosIn are the names in records. A record that cannot be read
// has none: there is nobody to tell while a word is being completed.
func scenariosIn(records ...string) (names []string) {
	for _, path := range records {
		record, err := report.Salvage(path)
		if err != nil {
			continue
		}
		for _, s := range record.Scenarios {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}
