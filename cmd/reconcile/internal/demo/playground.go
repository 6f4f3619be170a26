package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"text/template"
	"time"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/milvus/milvussim"
)

// The three people of a playground: one changes files, and the two others are a
// quorum that may approve it.
var (
	alice = approval.Person{Name: "Alice Smith", Email: "alice@example.com"}
	bob   = approval.Person{Name: "Bob Jones", Email: "bob@example.com"}
	carol = approval.Person{Name: "Carol Brown", Email: "carol@example.com"}
)

// people are the names of the key files.
var people = map[string]approval.Person{"alice": alice, "bob": bob, "carol": carol}

// playground is a folder in which a newcomer can go on by hand: a repository,
// an operator's configuration that fits it, and the signing keys of three people.
type playground struct {
	dir    string
	quorum int // how many people must approve a failover
	// authority is the file with the certificate of the clusters' authority; "": they speak
	// no TLS.
	authority string
	tree      *gitsource.Worktree
	signers   map[string]ssh.Signer // by e-mail
}

func (p playground) repo() string   { return filepath.Join(p.dir, "repo") }
func (p playground) config() string { return filepath.Join(p.dir, "reconcile.yaml") }

// makePlayground makes dir/repo with the files committed on main, which takes a push
// from a clone, dir/reconcile.yaml and dir/allowed_signers. For each person NAME it
// makes the key dir/NAME, and dir/NAME.gitconfig, with which git signs as NAME.
// It returns the repository's folder.
func makePlayground(from, dir string, quorum int, authority *milvussim.Authority, topologies []plan.Topology) (string, error) {
	files, err := filesBelow(from)
	if err != nil {
		return "", err
	}
	p, err := newPlayground(dir, quorum, authority, files, topologies)
	if err != nil {
		return "", err
	}
	return p.repo(), nil
}

func newPlayground(dir string, quorum int, authority *milvussim.Authority, files map[string][]byte, topologies []plan.Topology) (playground, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return playground{}, fmt.Errorf("make the playground: %w", err)
	}
	p := playground{dir: dir, quorum: quorum, signers: map[string]ssh.Signer{}}
	if _, err := os.Stat(p.repo()); err == nil {
		return p, fmt.Errorf("%s exists already (hint: give --git an empty folder)", p.repo())
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return p, fmt.Errorf("make the playground: %w", err)
	}
	if err := p.keys(); err != nil {
		return p, err
	}
	if p.tree, err = gitsource.Init(p.repo()); err != nil {
		return p, err
	}
	if err := p.tree.TakePushes(); err != nil {
		return p, err
	}
	if _, err = p.tree.Commit(files, "Start with the topologies as they are\n", bob, bob, time.Now(), nil); err != nil {
		return p, err
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(milvussim.RootToken+"\n"), 0o600); err != nil {
		return p, fmt.Errorf("write the token: %w", err)
	}
	if authority != nil {
		p.authority = filepath.Join(dir, "authority.pem")
		if err := os.WriteFile(p.authority, authority.PEM(), 0o644); err != nil {
			return p, fmt.Errorf("write the authority: %w", err)
		}
	}
	return p, p.writeConfig(topologies)
}

// keys makes what each person signs with, and the file that allows them.
func (p playground) keys() error {
	var allowed bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(people)) {
		person := people[name]
		signer, private, public, err := gitsource.NewKey()
		if err != nil {
			return err
		}
		p.signers[person.Email] = signer
		if err := p.writeKey(name, person, private, public); err != nil {
			return fmt.Errorf("write a signing key: %w", err)
		}
		allowed.WriteString(gitsource.AllowedSignersLine(person.Email, public))
	}
	return os.WriteFile(filepath.Join(p.dir, "allowed_signers"), allowed.Bytes(), 0o644)
}

// writeKey writes both parts of a key, and the configuration with which git uses it.
func (p playground) writeKey(name string, person approval.Person, private []byte, public string) error {
	key := filepath.Join(p.dir, name)
	git := fmt.Sprintf("[user]\n\tname = %s\n\temail = %s\n\tsigningKey = %q\n[gpg]\n\tformat = ssh\n", person.Name, person.Email, key)
	return errors.Join(
		os.WriteFile(key, private, 0o600),
		os.WriteFile(key+".pub", []byte(public+" "+person.Email+"\n"), 0o644),
		os.WriteFile(key+".gitconfig", []byte(git), 0o644),
	)
}

var playgroundConfig = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("config").Parse(`# The operator's configuration of this playground: what a pull request must not
# be able to change. 'reconcile schema config' describes every key.
apiVersion: reconcile/v1alpha1
kind: Config
mode: observe
git:
  url: {{printf "%q" .Repo}}
  ref: refs/heads/main
  path: topologies
credentials:
{{- range .Clusters}}
  - clusterId: {{.ID}}
    address: {{printf "%q" .ClientAddress}}
    uri: {{printf "%q" .URI}}
    tokenFrom: {file: {{printf "%q" $.Token}}}
{{- if $.Authority}}
    tls: {caFile: {{printf "%q" $.Authority}}}
{{- end}}
{{- end}}
approval:
  signature: required
  allowedSigners: {{printf "%q" .Allowed}}
  distinctAuthor: true
{{- if gt .Quorum 1}}
  quorum: {failover: {{.Quorum}}}
{{- end}}
ledger:
  path: {{printf "%q" .Ledger}}
`))
})

func (p playground) writeConfig(topologies []plan.Topology) error {
	var clusters []plan.Cluster
	for _, t := range topologies {
		clusters = append(clusters, t.Clusters...)
	}
	var b bytes.Buffer
	err := playgroundConfig().Execute(&b, map[string]any{
		"Repo": p.repo(), "Clusters": clusters, "Token": filepath.Join(p.dir, "token"), "Authority": p.authority,
		"Quorum": p.quorum, "Allowed": filepath.Join(p.dir, "allowed_signers"), "Ledger": filepath.Join(p.dir, "ledger.db"),
	})
	if err == nil {
		err = os.WriteFile(p.config(), b.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	return nil
}

// filesBelow reads the topology files of a folder, named as they will stand
// in the repository.
func filesBelow(dir string) (map[string][]byte, error) {
	out := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !gitsource.IsTopologyFile(path) {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		out["topologies/"+path] = data
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the topology files: %w", err)
	}
	return out, nil
}
