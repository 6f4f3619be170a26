package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"milvus-reconcile/cmd/reconcile/internal/console"
	"milvus-reconcile/cmd/reconcile/internal/importer"
	"milvus-reconcile/cmd/reconcile/internal/wire"
)

func newInit(g *globals) *cobra.Command {
	var i importer.Init
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration, the list of approvers and a first topology for live clusters",
		Long: `init reads the live clusters, as import does, and writes three files:

  the topology, in the work tree of your topology repository (--repo, else the current
  folder), so that the first plan finds nothing to do;
  reconcile.yaml, the operator's configuration, in --dir;
  allowed_signers, who may approve, in --dir.

Then it prints the commands that come next. On a terminal it asks for every value that
the options do not give. It changes no cluster, commits nothing, and overwrites no file.
It writes nothing if a cluster cannot be read, if its id cannot be proven, or if the
files could not be used.

It never writes a token: the configuration names the environment variable or the file
that holds it. It copies the public keys of approvers into allowed_signers.`,
		Example: `  export TOKEN='reconcile:…'
  reconcile init --repo topologies --name orders \
    --cluster cluster-a=a.example:19530 --cluster cluster-b=b.example:19530 --token-env TOKEN \
    --approver alice@example.com=alice.pub --approver bob@example.com=bob.pub --approver carol@example.com=carol.pub`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), g, i) },
	}
	importFlags(cmd, &i.Request)
	f := cmd.Flags()
	f.StringArrayVar(&i.Operator.Approvers, "approver", nil, "a person who may approve, as E-MAIL=FILE with the public SSH key in the file; repeat it for each person")
	f.IntVar(&i.Operator.Quorum, "quorum", 0, "how many people must approve a failover (default: two if there are three approvers, else one)")
	f.StringVar(&i.Dir, "dir", "", "folder of the configuration (default: that of --config)")
	f.StringVar(&i.Operator.Ledger, "ledger", "", "path of the ledger (default /var/lib/reconcile/ledger.db for a configuration in /etc/reconcile, else ledger.db in --dir)")
	f.StringVar(&i.GitURL, "git-url", "", "repository with the tracked branch (default: origin of the work tree, else the work tree)")
	f.StringVar(&i.GitKey, "git-key", "", "private SSH key that reconcile uses to read Git")
	f.StringVar(&i.GitKnownHosts, "git-known-hosts", "", "file known_hosts with the key of the Git server (default: the files of ssh)")
	f.StringVar(&i.GitTokenEnv, "git-token-env", "", "environment variable with the token that reconcile uses to read Git over https")
	return cmd
}

func runInit(ctx context.Context, g *globals, i importer.Init) error {
	if err := g.askForInit(&i); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	r, tree, notes, err := i.Begin(ctx, g.options())
	if err != nil {
		return err
	}
	for _, note := range notes {
		g.Tell(r.Name, note)
	}
	return g.print([]byte(initNext(r, tree)))
}

// initNext is what was written, and the commands that come next, each alone on its line.
func initNext(r importer.Request, tree importer.WorkTree) string {
	var b strings.Builder
	b.WriteString("Written:\n\n")
	for _, path := range []string{r.TopologyPath, r.ConfigPath, r.Operator.AllowedSigners} {
		fmt.Fprintf(&b, "  %s\n", path)
	}
	fmt.Fprintf(&b, "\nA failover needs %d of %d people, not counting the author of the change. Next:\n\n", r.Operator.FailoverQuorum(), len(r.Operator.Approvers))
	git := "git -C " + importer.ShellQuoted(tree.Top)
	file, _ := filepath.Rel(tree.Top, r.TopologyPath)
	fmt.Fprintf(&b, "  %s add %s\n  %s commit -m 'Add the topology %s'\n", git, importer.ShellQuoted(file), git, r.Name)
	if tree.Pushes {
		fmt.Fprintf(&b, "  %s push origin HEAD:%s\n", git, importer.ShellQuoted(tree.Branch))
	}
	if r.ConfigPath != wire.DefaultConfig {
		fmt.Fprintf(&b, "  export RECONCILE_CONFIG=%s\n", importer.ShellQuoted(r.ConfigPath))
	}
	b.WriteString("  reconcile plan\n  reconcile doctor\n")
	return b.String()
}

// askForInit asks for what the options do not say, if there is somebody to ask. Else it
// names all options that are missing.
func (g *globals) askForInit(i *importer.Init) error {
	if i.Dir == "" {
		i.Dir = filepath.Dir(g.options().ConfigPath())
	}
	r := &i.Request
	var missing []string
	for _, m := range []struct {
		option string
		given  bool
	}{{"--name", r.Name != ""}, {"--cluster", len(r.Clusters) > 0}, {"--approver", len(r.Operator.Approvers) > 0}} {
		if !m.given {
			missing = append(missing, m.option)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	in, ok := g.std.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return fmt.Errorf("init also needs %s (hint: on a terminal it asks; 'reconcile init --help' has an example)", strings.Join(missing, ", "))
	}
	q := questions{in: bufio.NewReader(in), out: g.std.Err}
	q.one(&r.Name, "Name of the topology", "orders")
	q.several(&r.Clusters, "A cluster, as ID=HOST:PORT", importer.CheckCluster)
	if len(r.TokenEnv)+len(r.TokenFile) == 0 {
		q.token(r)
	}
	if r.Primary == "" && len(r.Clusters) > 1 {
		r.Primary = q.ask("The cluster whose data counts, if several take writes (empty: read it from the clusters)", nil)
	}
	q.several(&r.Operator.Approvers, "An approver, as E-MAIL=FILE with the public key", importer.CheckApprover)
	asked := i.Dir
	i.Dir = ""
	q.one(&i.Dir, "Folder of the configuration", asked)
	return q.failed
}

// questions asks a person on a terminal.
type questions struct {
	in     *bufio.Reader
	out    io.Writer
	failed error
}

// ask returns one answer without surrounding blanks. It asks again while an answer that is
// not empty does not pass the check; nil passes all.
func (q *questions) ask(question string, check func(string) error) string {
	for q.failed == nil {
		fmt.Fprint(q.out, question+": ")
		line, err := q.in.ReadString('\n')
		if err != nil {
			q.failed = errors.New("the answers ended; nothing was written")
			break
		}
		answer := strings.TrimSpace(line)
		if check == nil || answer == "" {
			return answer
		}
		wrong := check(answer)
		if wrong == nil {
			return answer
		}
		fmt.Fprintln(q.out, "  "+console.Printable(wrong.Error()))
	}
	return ""
}

// one asks for what is not known yet; an empty answer means the usual one.
func (q *questions) one(into *string, question, usual string) {
	if *into == "" {
		*into = cmp.Or(q.ask(fmt.Sprintf("%s [%s]", question, usual), nil), usual)
	}
}

// several asks until an answer is empty, for at least one.
func (q *questions) several(into *[]string, question string, check func(string) error) {
	if len(*into) > 0 {
		return
	}
	for q.failed == nil {
		answer := q.ask(question+map[bool]string{true: " (empty: no more)"}[len(*into) > 0], check)
		if answer == "" && len(*into) > 0 {
			return
		}
		if answer != "" {
			*into = append(*into, answer)
		}
	}
}

// token asks where the token of the clusters is, and never for the token.
func (q *questions) token(r *importer.Request) {
	answer := q.ask("Environment variable or file with the token of the clusters, never the token itself (empty: they need none)", importer.CheckToken)
	switch {
	case answer == "":
	case importer.IsVariable(answer):
		r.TokenEnv = append(r.TokenEnv, answer)
	default:
		r.TokenFile = append(r.TokenFile, answer)
	}
}
