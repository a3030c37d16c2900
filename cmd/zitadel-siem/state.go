package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/zitadel-siem/zitadel-siem/internal/cluster"
	"github.com/zitadel-siem/zitadel-siem/internal/config"
	"github.com/zitadel-siem/zitadel-siem/internal/cursor"
	"github.com/zitadel-siem/zitadel-siem/internal/statestore"
	"github.com/zitadel-siem/zitadel-siem/internal/terminal"
)

// stateCommands move states between files and a store.
type stateCommands struct {
	Import stateImportCommand `cmd:"" help:"Take state files into a store, for the move from one process to several."`
	Export stateExportCommand `cmd:"" help:"Write the states in a store into files, for the move back to one process."`
}

// storeFlags name a store.
type storeFlags struct {
	Config string `help:"Use the store that this file names (as for pull --config)." placeholder:"FILE" type:"path"`
	State  string `help:"Use this store. ZITADEL_STATE may name it instead." placeholder:"URL"`
}

// open opens the store without a connection yet. what needs it. Nothing but the store is read
// of the file: the sources in it may be wrong.
func (f storeFlags) open(what string, console *terminal.Console) (cluster.Store, config.SharedState, error) {
	state, err := f.sharedState(console)
	switch {
	case err != nil:
		return nil, state, err
	case !state.On() && f.Config != "":
		return nil, state, fmt.Errorf("%s needs a store, and --config %s names none: add `state: postgres://USER@HOST/DATABASE` to the file, or name another one%w", what, f.Config, silent{errUsage})
	case !state.On():
		return nil, state, fmt.Errorf("%s needs a store: give --config FILE, --state URL or ZITADEL_STATE%w", what, silent{errUsage})
	}
	store, err := openStore(state)
	return store, state, err
}

func (f storeFlags) sharedState(console *terminal.Console) (config.SharedState, error) {
	if f.Config == "" {
		return sharedState(f.State, "")
	}
	if err := notBesideFile(f.State, ""); err != nil {
		return config.SharedState{}, err
	}
	state, warnings, err := config.ReadSharedState(f.Config, os.LookupEnv)
	for _, w := range warnings {
		console.Warn(w)
	}
	if err != nil {
		return state, fmt.Errorf("%w%w", err, silent{errUsage})
	}
	return state, nil
}

// notBesideFile refuses flags that belong into the file of --config.
func notBesideFile(state, lease string) error {
	for _, flag := range []struct{ name, value string }{{"state", state}, {"state_lease", lease}} {
		if flag.value != "" {
			return fmt.Errorf("--%s and --config contradict each other: write %s into the file%w", strings.ReplaceAll(flag.name, "_", "-"), flag.name, silent{errUsage})
		}
	}
	return nil
}

// reach asks the store for anything at all.
func reach(ctx context.Context, store cluster.Store) error {
	ctx, cancel := context.WithTimeout(ctx, statestore.Within)
	defer cancel()
	_, err := store.Look(ctx)
	return statestore.Explain(err)
}

// moved tells what became of each state, and counts.
type moved struct {
	done     string // what became of those that were moved
	ok, fail int
}

func (m *moved) took(path string, s cursor.State) {
	m.ok++
	fmt.Fprintf(os.Stdout, "ok    %s  source %q: %s\n", path, s.Instance, statestore.Describe(s))
}

func (m *moved) refused(path string, err error) {
	m.fail++
	text := err.Error()
	if !strings.Contains(text, path) {
		text = path + "  " + text
	}
	fmt.Fprintf(os.Stdout, "FAIL  %s\n", text)
}

// end writes the totals, and then what not to do with the place that the states came from.
func (m *moved) end(warning string) error {
	fmt.Fprintf(os.Stdout, "\n%d %s, %d failed\n", m.ok, m.done, m.fail)
	if m.ok > 0 {
		fmt.Fprintln(os.Stdout, warning)
	}
	if m.fail > 0 {
		return errReported
	}
	return nil
}

type stateImportCommand struct {
	storeFlags
	Files []string `arg:"" name:"state-file" help:"Files of state_path; those of a state_dir are DIR/*/*.state." type:"path"`
}

func (*stateImportCommand) Help() string {
	return "Stop the reader of the files first, and do not start it with them again. Each file names its source, so no option does. The files stay as they are. " +
		"A source that has a state in the store is refused, as one that a process reads. The exit status is 1 if a file was not taken."
}

func (c *stateImportCommand) Run(ctx context.Context, console *terminal.Console) error {
	store, state, err := c.open("state import", console)
	if err != nil {
		return err
	}
	defer statestore.Close(store)
	if err := reach(ctx, store); err != nil {
		return err
	}
	tally := moved{done: "taken into " + state.Where()}
	for i, path := range c.Files {
		s, err := statestore.ImportFile(ctx, store, path)
		if err == nil {
			tally.took(path, s)
			continue
		}
		tally.refused(path, err)
		if err := reach(ctx, store); err != nil { // the others would fail as slowly
			return fmt.Errorf("files not tried: %d: %w", len(c.Files)-i-1, err)
		}
	}
	return tally.end("Do not start a reader with these files again: it would read what the members of the store read.")
}

type stateExportCommand struct {
	storeFlags
	Dir string `arg:"" help:"Directory for the files, the later state_dir. A file that is there is not replaced." type:"path"`
}

func (*stateExportCommand) Help() string {
	return "Stop every process that reads from the store first, and do not start one with it again. The states stay in the store. " +
		"Then write state_dir: DIR into the file of pull --config, in place of state. The exit status is 1 if a state was not written."
}

func (c *stateExportCommand) Run(ctx context.Context, console *terminal.Console) error {
	store, _, err := c.open("state export", console)
	if err != nil {
		return err
	}
	defer statestore.Close(store)
	tally := moved{done: "written below " + c.Dir}
	err = statestore.Export(ctx, store, c.Dir, func(e statestore.Exported) {
		switch {
		case e.Err != nil:
			tally.refused(e.Path, e.Err)
		case e.State.Instance == "":
			fmt.Fprintf(os.Stdout, "skip  source %q: the store has no state of it\n", e.Instance)
		default:
			tally.took(e.Path, e.State)
		}
	})
	if err != nil {
		return statestore.Explain(err)
	}
	return tally.end("Do not start a process with the store again: it would read what the reader of these files reads.")
}
