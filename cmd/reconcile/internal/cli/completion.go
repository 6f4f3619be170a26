package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/plan"
	"milvus-reconcile/plan/explain"
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
			"accept": completeCodes(true), "primary": c.members(), "from": c.members(plan.RoleStale),
		} {
			if cmd.Flags().Lookup(name) != nil && cmd.Name() != "import" && cmd.Name() != "init" {
				_ = cmd.RegisterFlagCompletionFunc(name, values) // the flag is there
			}
		}
	}
	completeFlags(root)
}
