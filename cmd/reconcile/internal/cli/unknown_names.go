package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"milvus-reconcile/plan/suggest"
)

// unknownName returns the error for a name that is not known, with those that may have
// been meant, else otherwise, else all that are known.
func unknownName(kind, name string, known []string, otherwise string) error {
	return errors.New(suggest.WithHint(fmt.Sprintf("there is no %s %q", kind, name), suggest.Hint(name, known, otherwise)))
}

// splitTarget splits TOPOLOGY/CLUSTER. If a part is missing, the error proposes the clusters
// of the topology that was meant, as far as a repository on this machine knows them.
func (g *globals) splitTarget(ctx context.Context, target string) (name, cluster string, err error) {
	name, cluster, ok := strings.Cut(target, "/")
	if ok && name != "" && cluster != "" {
		return name, cluster, nil
	}
	var names, whole []string
	topologies := (completer{g.options}).knownTopologies(ctx)
	for _, t := range topologies {
		names = append(names, t.Name)
	}
	near := suggest.Names(name, names)
	for _, t := range topologies {
		for _, c := range t.Clusters {
			if slices.Contains(near, t.Name) || name == "" && c.ID == cluster {
				whole = append(whole, t.Name+"/"+c.ID)
			}
		}
	}
	hint := suggest.Hint(name, names, "")
	if len(whole) > 0 {
		hint = "did you mean " + suggest.List(whole[:min(len(whole), mostTargets)], "or") + "?"
	}
	return "", "", errors.New(suggest.WithHint(fmt.Sprintf("%q is not TOPOLOGY/CLUSTER", target), hint))
}

// mostTargets bounds how many clusters are proposed.
const mostTargets = 4

// withSuggestion adds to cobra's error for an unknown command those that may have been
// meant. It returns other errors as they are.
func withSuggestion(root *cobra.Command, err error) error {
	var word, path string
	if err == nil {
		return nil
	}
	if n, _ := fmt.Sscanf(err.Error(), "unknown command %q for %q", &word, &path); n != 2 {
		return err
	}
	cmd, _, found := root.Find(strings.Fields(path)[1:])
	if found != nil || !cmd.HasSubCommands() {
		return fmt.Errorf("%s takes no argument %q (hint: '%s --help')", path, word, path)
	}
	return unknownCommand(cmd, word)
}

// unknownCommand returns the error for a word that is no command below cmd.
func unknownCommand(cmd *cobra.Command, word string) error {
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	kind := strings.TrimSpace(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()) + " command")
	return unknownName(kind, word, known, "'"+cmd.CommandPath()+" --help' lists them all")
}

// unknownFlag adds to the error for an unknown option those that may have been meant.
func unknownFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	name := unknown.GetSpecifiedName()
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			known = append(known, "--"+f.Name)
		}
	})
	slices.Sort(known)
	message, otherwise := fmt.Sprintf("%s has no option --%s", cmd.CommandPath(), name), "'"+cmd.CommandPath()+" --help' lists them all"
	if len(unknown.GetSpecifiedShortnames()) > 0 {
		return errors.New(suggest.WithHint(fmt.Sprintf("%s has no option -%s", cmd.CommandPath(), name), otherwise))
	}
	return errors.New(suggest.WithHint(message, suggest.Hint("--"+name, known, otherwise)))
}

// askForKnownNames makes the commands that cobra provides fail for a name that they do not
// know.
func askForKnownNames(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch show := cmd.Run; cmd.Name() {
		case "help":
			cmd.Run = nil
			cmd.RunE = func(c *cobra.Command, args []string) error {
				if at, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return unknownCommand(at, append(rest, args...)[0])
				}
				show(c, args)
				return nil
			}
		case "completion":
			cmd.Args = nil
			cmd.RunE = func(c *cobra.Command, args []string) error {
				if len(args) > 0 {
					return unknownCommand(c, args[0])
				}
				return c.Help()
			}
		}
	}
}
