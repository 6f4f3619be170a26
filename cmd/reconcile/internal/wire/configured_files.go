package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/reconcile/plainfile"
	"milvus-reconcile/reconcile/program"
	"milvus-reconcile/schema"
)

// NamedFile is the configuration, or a file that the configuration names.
type NamedFile struct {
	Path   string
	Secret bool // it holds a token, password or private key
	// Before: nothing need be there. PATH is searched there before a program is found that is
	// named without a path, so that another one there would be started instead.
	Before bool
}

// NamedFiles returns the configuration and every file that it names, each once.
func (e *Environment) NamedFiles() []NamedFile {
	c := e.Config
	var out namedFiles
	out.plain(e.options.ConfigPath(), c.Approval.AllowedSigners, c.Approval.Keyring, c.Ledger.Path, c.Git.CacheDir, c.Git.Auth.CAFile, c.Git.Auth.KnownHostsFile)
	out.plain(gitsource.KnownHosts(e.Git.URL, c.Git.Auth.KnownHostsFile)...)
	out.secret(c.Git.Auth.SSHKeyFile, c.Git.Auth.SSHKeyPassphrase.File, c.Git.Auth.Username.File, c.Git.Auth.Password.File, c.Serve.WebhookSecret.File)
	out.connection(c.Serve.TLS)
	if etcd := c.Ledger.Etcd; etcd != nil {
		out.secret(etcd.Username.File, etcd.Password.File)
		out.connection(etcd.TLS)
	}
	for _, server := range KubernetesServers(c) {
		out.kubernetes(server)
	}
	for _, credential := range c.Credentials {
		out.secret(credential.Token.File, credential.ReplicationToken.File)
		out.connection(credential.TLS)
	}
	for _, n := range c.Notify {
		out.secret(n.Secret.File)
		if m := n.Email; m != nil {
			out.secret(m.Username.File)
			out.connection(m.TLS)
		}
	}
	for _, c := range c.Clusters {
		if c.Restart != nil {
			out.program(c.Restart.Command)
		}
		if c.Rebuild != nil {
			out.program(c.Rebuild.Command)
		}
	}
	for _, r := range c.Redirect {
		out.redirect(r)
	}
	return withoutDuplicates(out)
}

// namedFiles collects files.
type namedFiles []NamedFile

func (f *namedFiles) plain(paths ...string) {
	for _, p := range paths {
		*f = append(*f, NamedFile{Path: p})
	}
}

func (f *namedFiles) secret(paths ...string) {
	for _, p := range paths {
		*f = append(*f, NamedFile{Path: p, Secret: true})
	}
}

func (f *namedFiles) connection(t *schema.TLS) {
	if t != nil {
		f.plain(t.CAFile, t.CertFile)
		f.secret(t.KeyFile)
	}
}

// program adds a program with the files among its arguments.
func (f *namedFiles) program(argv []string) {
	files, before := program.Files(argv)
	f.plain(files...)
	f.before(before)
}

func (f *namedFiles) before(paths []string) {
	for _, p := range paths {
		*f = append(*f, NamedFile{Path: p, Before: true})
	}
}

// redirect adds the files of a redirect target.
func (f *namedFiles) redirect(r schema.RedirectTarget) {
	if x := r.Exec; x != nil {
		f.program(x.Command)
		f.program(x.Check)
	}
	if r.Webhook != nil {
		f.secret(r.Webhook.Secret.File)
	}
	if r.DNS != nil {
		f.secret(r.DNS.Secret.File)
	}
	if r.File != nil {
		f.plain(r.File.Template)
	}
}

// KubernetesServers returns every API server of Kubernetes that a configuration names.
func KubernetesServers(c schema.Config) []schema.KubernetesAccess {
	var out []schema.KubernetesAccess
	if k := c.KubernetesStatus; k != nil {
		out = append(out, k.Access)
	}
	if k := c.Ledger.Kubernetes; k != nil {
		out = append(out, k.Access)
	}
	for _, cluster := range c.Clusters {
		if k := cluster.Kubernetes; k != nil {
			out = append(out, schema.KubernetesAccess{Kubeconfig: k.Kubeconfig, Context: k.Context})
		}
	}
	for _, r := range c.Redirect {
		if k := r.Kubernetes; k != nil {
			out = append(out, k.Access)
		}
	}
	return out
}

// kubernetes adds a kubeconfig and the files that its context names. One that cannot be read
// names none; the target or the ledger that uses it says why.
func (f *namedFiles) kubernetes(a schema.KubernetesAccess) {
	files, _ := kubernetesAPI(a).Files() //nolint:errcheck // its target, or the ledger, says so
	f.plain(files.Plain...)
	f.secret(files.Secret...)
	f.before(files.Before)
}

// withoutDuplicates drops duplicates and empty paths. Thousands of credentials may name
// one file, and checking a path costs a system call for each of its folders.
func withoutDuplicates(files []NamedFile) []NamedFile {
	at := map[string]int{}
	var out []NamedFile
	for _, f := range files {
		i, known := at[f.Path]
		switch {
		case f.Path == "":
		case known:
			out[i].Secret, out[i].Before = out[i].Secret || f.Secret, out[i].Before && f.Before
		default:
			at[f.Path] = len(out)
			out = append(out, f)
		}
	}
	return out
}

// checkFileTrust returns an error if a pull request could change a file of NamedFiles,
// since it lies in the work tree of the repository, or if any user of this machine could
// change or replace it.
func (e *Environment) checkFileTrust() error {
	return checkFiles(e.NamedFiles(), strings.TrimPrefix(e.Git.URL, "file://"), strings.TrimPrefix(e.Config.Git.URL, "file://"))
}

// CheckKubeconfig returns an error if a kubeconfig, or what its context names, could be changed
// by any user of this machine, or by a pull request to the repository that one stands in: it
// may name a program that is started.
func CheckKubeconfig(a schema.KubernetesAccess) error {
	var out namedFiles
	out.kubernetes(a)
	return checkFiles(withoutDuplicates(out), ".")
}

// checkFiles is the check of files, and of the work trees that hold these folders.
func checkFiles(files []NamedFile, folders ...string) error {
	var tops []string
	for _, folder := range slices.Compact(folders) {
		if top, ok := workTree(folder); ok {
			tops = append(tops, top)
		}
	}
	var bad []error
	walk := NewPathChecker()
	for _, f := range files {
		way := walk.Check(f.Path)
		for _, top := range tops {
			if slices.ContainsFunc(way.passed, func(p string) bool { return within(top, p) }) {
				bad = append(bad, fmt.Errorf("%s %s", f.Path, f.inRepository()))
			}
		}
		if f.Before && way.anyUserAdds {
			bad = append(bad, fmt.Errorf("every user of this machine may put a program at %s, where PATH is searched first (hint: name the program by its full path, or take that folder out of PATH)", f.Path))
			continue
		}
		bad = append(bad, way.anyUser...)
	}
	return errors.Join(bad...)
}

// inRepository says why a file may not lie in the work tree of the repository.
func (f NamedFile) inRepository() string {
	if f.Before {
		return "lies inside the work tree of the topology repository, and PATH is searched there first, so a pull request could put a program there (hint: name the program by its full path, or take that folder out of PATH)"
	}
	return "lies inside the work tree of the topology repository, so a pull request could change it (hint: move it out)"
}

// workTree returns the top folder of the work tree that holds a local path.
func workTree(path string) (string, bool) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return "", false
	}
	dir := RealPath(path)
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

// within reports whether path lies in the folder top. Both are free of symbolic links.
func within(top, path string) bool {
	rel, err := filepath.Rel(top, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// RealPath returns a path without symbolic links. If the file does not exist yet, only
// the links of its folder are resolved.
func RealPath(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if resolved, err := filepath.EvalSymlinks(abs); err == nil {
		return resolved
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(dir, filepath.Base(abs))
	}
	return abs
}

// fileUse is a secret, certificate or list that the configuration names, with the
// settings that use it.
type fileUse struct {
	users []string // the settings that use it, as credentials.cluster-a.token
	stops bool     // without it an approved failover is not carried out
	// fault returns why it cannot be used now. goesOn is true if its users continue
	// with what was read before.
	fault func(now time.Time) (goesOn bool, err error)
}

// fileUses holds the secrets, certificates and lists of a configuration, each once.
type fileUses struct {
	all    []*fileUse
	shared map[any]*fileUse // by what it is read from
}

func (u *fileUses) add(of string, from any, stops bool, fault func(time.Time) (bool, error)) {
	if known := u.shared[from]; known != nil {
		known.users, known.stops = append(known.users, of), known.stops || stops
		return
	}
	if u.shared == nil {
		u.shared = map[any]*fileUse{}
	}
	u.shared[from] = &fileUse{users: []string{of}, stops: stops, fault: fault}
	u.all = append(u.all, u.shared[from])
}

func (u *fileUses) tls(of string, files *tlsFiles, stops bool) {
	if files != nil {
		u.add(of, files, stops, files.fault)
	}
}

func (u *fileUses) secret(of string, r schema.SecretRef, stops bool) {
	if !r.IsZero() {
		u.reads(of, r, stops, func() error {
			_, err := ReadSecret(r)
			return err
		})
	}
}

func (u *fileUses) reads(of string, from any, stops bool, read func() error) {
	u.add(of, from, stops, func(time.Time) (bool, error) { return false, read() })
}

// addRuntimeUses adds what the daemon reads while it runs: Git credentials, approvers,
// webhook secrets and redirect templates.
func (e *Environment) addRuntimeUses() {
	u, c := &e.uses, e.Config
	u.reads(gitAuthUse, gitAuthUse, false, func() error {
		_, err := e.Git.Auth()
		return err
	})
	u.reads("approval", "approval", true, e.checkKeys)
	u.secret("serve.webhookSecretFrom", c.Serve.WebhookSecret, false)
	for _, n := range c.Notify {
		u.secret("notify."+n.Name+".secretFrom", n.Secret, false)
		if m := n.Email; m != nil {
			u.secret("notify."+n.Name+".email.usernameFrom", m.Username, false)
			u.tls("notify."+n.Name+".email.tls", followTLS(m.TLS, TLSConfig), false)
		}
	}
	for _, r := range c.Redirect {
		switch {
		case r.Webhook != nil:
			u.secret("redirect."+r.Name+".secretFrom", r.Webhook.Secret, false)
		case r.DNS != nil:
			u.secret("redirect."+r.Name+".dns.key.secretFrom", r.DNS.Secret, false)
		case r.File != nil:
			u.reads("redirect."+r.Name+".template", "template "+r.File.Template, false, func() error {
				_, err := plainfile.Read(r.File.Template)
				return err
			})
		}
	}
}

// names lists the users, at most five of them by name.
func (u *fileUse) names() string {
	const few = 5
	if len(u.users) <= few {
		return strings.Join(u.users, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(u.users[:few], ", "), len(u.users)-few)
}

// gitAuthUse names the credentials of a Git remote. A fetch reports their faults itself.
const gitAuthUse = "git.auth"

// unusable is a fileUse with a fault.
type unusable struct {
	name, names string // the first of those that share it, and all
	stops       bool
	err         error
}

// faults checks every use and returns those that have a fault.
func (u *fileUses) faults(now time.Time) []unusable {
	var out []unusable
	for _, one := range u.all {
		if goesOn, err := one.fault(now); err != nil {
			out = append(out, unusable{name: one.users[0], names: one.names(), stops: one.stops && !goesOn, err: err})
		}
	}
	return out
}

// failoverBlockers returns which of the faults would stop an approved failover; empty if
// none would.
func failoverBlockers(faults []unusable) string {
	var out []error
	for _, f := range faults {
		if f.stops {
			out = append(out, fmt.Errorf("%s: %w", f.names, f.err))
		}
	}
	const shown = 3
	if more := len(out) - shown; more > 0 {
		out = append(out[:shown], fmt.Errorf("and %d more", more))
	}
	if len(out) == 0 {
		return ""
	}
	return strings.ReplaceAll(errors.Join(out...).Error(), "\n", "; ")
}
