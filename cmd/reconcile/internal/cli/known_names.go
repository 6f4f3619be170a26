package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
	"milvus-reconcile/plan/suggest"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
)

// completionTimeout is the time limit of one completion.
const completionTimeout = 2 * time.Second

// completion returns the words that a shell offers after a tab.
type completion = func(cmd *cobra.Command, args []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective)

// completer offers topologies, clusters and receivers that it finds on this machine.
type completer struct{ options func() wire.Options }

// topologies offers topologies that the command line does not name yet, up to most
// of them on one line.
func (c completer) topologies(most int) completion {
	return func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for _, t := range c.knownTopologies(cmd.Context()) {
			if strings.HasPrefix(t.Name, prefix) && !slices.Contains(args, t.Name) && len(args) < most {
				primary, _ := t.Primary()
				out = append(out, cobra.CompletionWithDesc(t.Name, "primary "+primary.ID))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// anyNumber means that a command takes any number of topologies.
const anyNumber = 1 << 20

// clusters offers TOPOLOGY/CLUSTER for clusters of those roles.
func (c completer) clusters(roles ...plan.Role) completion {
	return func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for _, t := range c.knownTopologies(cmd.Context()) {
			for _, member := range t.Clusters {
				if name := t.Name + "/" + member.ID; len(args) == 0 && slices.Contains(roles, member.Role) && strings.HasPrefix(name, prefix) {
					out = append(out, cobra.CompletionWithDesc(name, member.Role.String()))
				}
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// members offers clusters of the topology that the command line names, or of all
// topologies if it names none; without roles, clusters of any role.
func (c completer) members(roles ...plan.Role) completion {
	return func(cmd *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for _, t := range c.knownTopologies(cmd.Context()) {
			if len(args) > 0 && args[0] != t.Name {
				continue
			}
			for _, member := range t.Clusters {
				if (len(roles) == 0 || slices.Contains(roles, member.Role)) && strings.HasPrefix(member.ID, prefix) {
					out = append(out, cobra.CompletionWithDesc(member.ID, member.Role.String()+" of "+t.Name))
				}
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// sites offers the sites of clusters.
func (c completer) sites(cmd *cobra.Command, _ []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var out []cobra.Completion
	for _, t := range c.knownTopologies(cmd.Context()) {
		for _, member := range t.Clusters {
			if member.Site != "" && strings.HasPrefix(member.Site, prefix) && !slices.Contains(out, member.Site) {
				out = append(out, member.Site)
			}
		}
	}
	slices.Sort(out)
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeCodes offers the codes of findings and denials, or only those that an approver
// may accept.
func completeCodes(acceptable bool) completion {
	return func(_ *cobra.Command, args []string, prefix string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var out []cobra.Completion
		for _, code := range explain.Codes() {
			if acceptable && !plan.Acceptable(plan.Code(code)) || !acceptable && len(args) > 0 {
				continue
			}
			if e, ok := explain.Lookup(code); ok && strings.HasPrefix(code, strings.ToUpper(prefix)) {
				out = append(out, cobra.CompletionWithDesc(code, e.Title))
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// knownTopologies returns the topologies of a repository on this machine. It makes no
// call over the network and ignores what cannot be read.
func (c completer) knownTopologies(ctx context.Context) []plan.Topology {
	ctx, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	for _, repository := range localRepositories(c.options()) {
		if topologies, err := readTopologies(ctx, repository); err == nil && len(topologies) > 0 {
			return topologies
		}
	}
	return nil
}

// localRepositories returns the repositories that a command would read, in its order.
func localRepositories(o wire.Options) []gitsource.Config {
	own := gitsource.Config{URL: cmp.Or(o.Repo, "."), Ref: o.Ref, Path: cmp.Or(o.Path, "topologies")}
	if o.Repo != "" {
		return []gitsource.Config{own}
	}
	var out []gitsource.Config
	if config, err := o.ReadConfig(); err == nil {
		out = append(out, o.GitConfig(config))
	}
	return append(out, own)
}

// readTopologies reads the tracked commit of a local repository; without a repository it
// reads plain files.
func readTopologies(ctx context.Context, c gitsource.Config) ([]plan.Topology, error) {
	dir := strings.TrimPrefix(c.URL, "file://")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil, errors.New("it is not on this machine")
	}
	repo, err := gitsource.Open(ctx, c)
	if err != nil {
		topologies, _ := schema.Load(os.DirFS(dir), filepath.ToSlash(c.Path))
		return topologies, nil
	}
	commit, err := repo.Resolve("")
	if err != nil {
		return nil, err
	}
	tree, err := repo.Tree(commit)
	if err != nil {
		return nil, err
	}
	topologies, _ := schema.Load(tree, repo.Root())
	return topologies, nil
}

// completeFlags offers the values of the global options.
func completeFlags(root *cobra.Command) {
	_ = root.RegisterFlagCompletionFunc("output", completeForms) // the flag is there
	for name, words := range map[string][]cobra.Completion{
		"color":      {"auto", "always", "never"},
		"log-format": {"text", "json"},
		"log-level":  {"debug", "info", "warn", "error"},
	} {
		_ = root.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	}
}

// complete sets what each command offers for its arguments and options.
func (c completer) complete(root *cobra.Command) {
	topologies, one := c.topologies(anyNumber), c.topologies(1)
	standbys := c.clusters(plan.RoleStandby)
	args := map[string]completion{
		"plan": topologies, "apply": topologies, "drift": topologies, "status": topologies, "doctor": topologies, "audit": topologies,
		"history": one, "adopt": one, "salvage": one, "propose": standbys,
		"approve": c.clusters(plan.RolePrimary), "break-glass": standbys, "fence": c.clusters(plan.RoleStale),
		"explain": completeCodes(false),
	}
	for _, cmd := range root.Commands() {
		if names, ok := args[cmd.Name()]; ok {
			cmd.ValidArgsFunction = names
		}
		for name, values := range map[string]completion{
			"accept": completeCodes(true), "primary": c.members(), "from": c.members(plan.RoleStale), "site": c.sites,
		} {
			if cmd.Flags().Lookup(name) != nil && cmd.Name() != "import" && cmd.Name() != "init" {
				_ = cmd.RegisterFlagCompletionFunc(name, values) // the flag is there
			}
		}
	}
	completeFlags(root)
}

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
