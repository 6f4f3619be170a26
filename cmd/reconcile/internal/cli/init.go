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

	"milvus-reconcile/cmd/reconcile/internal/desired"
	"milvus-reconcile/cmd/reconcile/internal/importer"
	"milvus-reconcile/cmd/reconcile/internal/wire"
	"milvus-reconcile/schema"
)

// initOptions is what init is told besides the clusters.
type initOptions struct {
	request importer.Request
	dir     string
	gitURL  string
	gitKey  string
	hosts   string
	gitEnv  string
}

func newInit(g *globals) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write a configuration, the list of approvers and a first topology for live clusters",
		Long: `init reads what live clusters store, as import does, and writes three files:

  the topology, in the work tree of your topology repository (--repo, else the current
  folder), so that the first plan finds nothing to do;
  reconcile.yaml, the operator's configuration, in --dir;
  allowed_signers, who may approve, in --dir.

Then it prints the commands that come next. On a terminal it asks for what the options do
not say. It changes no cluster, commits nothing, and overwrites no file. It writes nothing
if a cluster cannot be read, if its id cannot be proven, or if the files could not be used.

A token is never written: the configuration names the environment variable or the file
that holds it. Of approvers it takes the public keys.`,
		Example: `  export TOKEN='reconcile:…'
  reconcile init --repo topologies --name orders \
    --cluster cluster-a=a.example:19530 --cluster cluster-b=b.example:19530 --token-env TOKEN \
    --approver alice@example.com=alice.pub --approver bob@example.com=bob.pub --approver carol@example.com=carol.pub`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInit(cmd.Context(), g, o) },
	}
	importFlags(cmd, &o.request)
	f := cmd.Flags()
	f.StringArrayVar(&o.request.Operator.Approvers, "approver", nil, "a person who may approve, as E-MAIL=FILE with the public SSH key in the file; repeat it for each")
	f.IntVar(&o.request.Operator.Quorum, "quorum", 0, "how many people must approve a failover (default: two if there are three approvers, else one)")
	f.StringVar(&o.dir, "dir", "", "folder of the configuration (default: that of --config)")
	f.StringVar(&o.request.Operator.Ledger, "ledger", "", "path of the ledger (default /var/lib/reconcile/ledger.db for a configuration in /etc/reconcile, else ledger.db in --dir)")
	f.StringVar(&o.gitURL, "git-url", "", "where the tracked branch is read (default: origin of the work tree, else the work tree)")
	f.StringVar(&o.gitKey, "git-key", "", "private SSH key with which reconcile reads Git")
	f.StringVar(&o.hosts, "git-known-hosts", "", "known_hosts with the key of the Git server (default: those of ssh)")
	f.StringVar(&o.gitEnv, "git-token-env", "", "environment variable with the token with which reconcile reads Git over https")
	return cmd
}

func runInit(ctx context.Context, g *globals, o initOptions) error {
	if err := g.askForInit(&o); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	tree, err := g.initTree(ctx, o)
	if err != nil {
		return err
	}
	r, err := g.initRequest(o, tree)
	if err != nil {
		return err
	}
	_, notes, err := importer.Run(ctx, g.options(), r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.Operator.Ledger), 0o750); err != nil {
		notes = append(notes, "the folder of the ledger could not be made, and apply needs it: "+err.Error())
	}
	if len(r.Operator.Approvers) == 1 {
		notes = append(notes, "only one person can approve, and not what that person wrote: add others to "+r.Operator.AllowedSigners)
	}
	for _, note := range notes {
		g.info(r.Name, note)
	}
	return g.print([]byte(initNext(r, tree)))
}

// initWorkTree is the clone in which init writes the topology.
type initWorkTree struct {
	top    string
	branch string
	url    string // what the configuration tracks
	pushes bool   // the tracked branch is elsewhere
}

// initTree finds the work tree, and what of it reconcile shall track.
func (g *globals) initTree(ctx context.Context, o initOptions) (initWorkTree, error) {
	dir := "."
	if g.repo != "" {
		dir = g.repo
	}
	top, err := desired.Git(ctx, dir, "", "rev-parse", "--show-toplevel")
	if err != nil {
		return initWorkTree{}, fmt.Errorf("%w (hint: name a clone of your topology repository by --repo, or begin one with 'git init -b main DIR')", err)
	}
	out := initWorkTree{top: top, url: o.gitURL, pushes: true}
	if out.branch, err = desired.Git(ctx, top, "", "symbolic-ref", "--short", "HEAD"); err != nil {
		return out, fmt.Errorf("%w (hint: check out the branch that shall be tracked)", err)
	}
	if g.ref != "" {
		out.branch = strings.TrimPrefix(g.ref, "refs/heads/")
	}
	if out.url == "" {
		out.url, err = desired.Git(ctx, top, "", "remote", "get-url", "origin")
		if err != nil {
			out.url, out.pushes = top, false
		}
	}
	if !strings.Contains(out.url, ":") && !filepath.IsAbs(out.url) {
		out.url = filepath.Join(top, out.url)
	}
	return out, nil
}

// initRequest completes what is asked of the importer.
func (g *globals) initRequest(o initOptions, tree initWorkTree) (importer.Request, error) {
	r := o.request
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return r, err
	}
	r.ConfigPath = filepath.Join(dir, filepath.Base(g.options().ConfigPath()))
	path := cmp.Or(g.path, "topologies")
	r.TopologyPath = filepath.Join(tree.top, filepath.FromSlash(path), r.Name+".yaml")
	r.Operator.AllowedSigners = filepath.Join(dir, "allowed_signers")
	if r.Operator.Ledger == "" {
		r.Operator.Ledger = filepath.Join(dir, "ledger.db")
		if dir == filepath.Dir(wire.DefaultConfig) {
			r.Operator.Ledger = "/var/lib/reconcile/ledger.db"
		}
	}
	if r.Operator.Ledger, err = filepath.Abs(r.Operator.Ledger); err != nil {
		return r, err
	}
	r.Operator.Git = schema.Git{URL: tree.url, Ref: "refs/heads/" + tree.branch, Path: path}
	r.Operator.Git.Auth, err = o.gitAuth(tree.url)
	return r, err
}

// gitAuth says how to log in to the Git server.
func (o initOptions) gitAuth(url string) (schema.GitAuth, error) {
	out := schema.GitAuth{Password: schema.SecretRef{Env: o.gitEnv}}
	for path, into := range map[string]*string{o.gitKey: &out.SSHKeyFile, o.hosts: &out.KnownHostsFile} {
		if path == "" {
			continue
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return out, err
		}
		*into = absolute
	}
	scheme, _, whole := strings.Cut(url, "://")
	if ssh := whole && scheme == "ssh" || !whole && !filepath.IsAbs(url); ssh && o.gitKey == "" {
		if os.Getenv("SSH_AUTH_SOCK") == "" {
			return out, fmt.Errorf("reconcile reads %s by ssh and has no key for it (hint: --git-key FILE, or run an agent)", url)
		}
		out.SSHAgent = true
	}
	return out, nil
}

// initNext is what was written, and the commands that come next, each alone on its line.
func initNext(r importer.Request, tree initWorkTree) string {
	var b strings.Builder
	b.WriteString("Written:\n\n")
	for _, path := range []string{r.TopologyPath, r.ConfigPath, r.Operator.AllowedSigners} {
		fmt.Fprintf(&b, "  %s\n", path)
	}
	fmt.Fprintf(&b, "\nA failover needs %d of %d people, other than who wrote the change. Next:\n\n", r.Operator.FailoverQuorum(), len(r.Operator.Approvers))
	git := "git -C " + shellQuoted(tree.top)
	file, _ := filepath.Rel(tree.top, r.TopologyPath)
	fmt.Fprintf(&b, "  %s add %s\n  %s commit -m 'Add the topology %s'\n", git, shellQuoted(file), git, r.Name)
	if tree.pushes {
		fmt.Fprintf(&b, "  %s push origin HEAD:%s\n", git, shellQuoted(tree.branch))
	}
	if r.ConfigPath != wire.DefaultConfig {
		fmt.Fprintf(&b, "  export RECONCILE_CONFIG=%s\n", shellQuoted(r.ConfigPath))
	}
	b.WriteString("  reconcile plan\n  reconcile doctor\n")
	return b.String()
}

// shellQuoted quotes a word for a shell, where it must.
func shellQuoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+=-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// askForInit asks for what the options do not say, if there is somebody to ask. Else it
// names all options that are missing.
func (g *globals) askForInit(o *initOptions) error {
	if o.dir == "" {
		o.dir = filepath.Dir(g.options().ConfigPath())
	}
	r := &o.request
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
	q.several(&r.Clusters, "A cluster, as ID=HOST:PORT")
	if len(r.TokenEnv)+len(r.TokenFile) == 0 {
		q.token(r)
	}
	q.several(&r.Operator.Approvers, "An approver, as E-MAIL=FILE with the public key")
	asked := o.dir
	o.dir = ""
	q.one(&o.dir, "Folder of the configuration", asked)
	return q.failed
}

// questions asks a person on a terminal.
type questions struct {
	in     *bufio.Reader
	out    io.Writer
	failed error
}

// ask returns one answer without surrounding blanks.
func (q *questions) ask(question string) string {
	if q.failed != nil {
		return ""
	}
	fmt.Fprint(q.out, question+": ")
	line, err := q.in.ReadString('\n')
	if err != nil {
		q.failed = errors.New("the answers ended; nothing was written")
	}
	return strings.TrimSpace(line)
}

// one asks for what is not known yet; an empty answer means the usual one.
func (q *questions) one(into *string, question, usual string) {
	if *into == "" {
		if *into = q.ask(fmt.Sprintf("%s [%s]", question, usual)); *into == "" {
			*into = usual
		}
	}
}

// several asks until an answer is empty, for at least one.
func (q *questions) several(into *[]string, question string) {
	if len(*into) > 0 {
		return
	}
	for q.failed == nil {
		answer := q.ask(question + map[bool]string{true: " (empty: no more)"}[len(*into) > 0])
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
	answer := q.ask("Where the token of the clusters is, never the token: an environment variable or a file (empty: they need none)")
	switch {
	case answer == "":
	case strings.ContainsAny(answer, "/."):
		r.TokenFile = append(r.TokenFile, answer)
	default:
		r.TokenEnv = append(r.TokenEnv, answer)
	}
}
