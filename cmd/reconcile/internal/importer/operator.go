package importer

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"milvus-reconcile/reconcile/gitsource"
	"milvus-reconcile/schema"
)

// Operator is what a configuration says besides the credentials. The zero value leaves it
// to a person, as comments.
type Operator struct {
	Git            schema.Git
	Ledger         string   // path of the file
	AllowedSigners string   // path of the list of approvers, which is written too
	Approvers      []string // each as E-MAIL=FILE, with the public key in the file
	Quorum         int      // how many people must approve a failover; 0: two if there are three
}

func (o Operator) isZero() bool { return o.AllowedSigners == "" }

// commented is what a person is to write.
const commented = `# git: {url: ssh://git@git.example/platform/topologies.git, ref: refs/heads/main}
# ledger: {path: /var/lib/reconcile/ledger.db}   # needed by apply, fence and run
# approval:                                      # who may approve; nobody without it
#   allowedSigners: /etc/reconcile/allowed_signers
#   quorum: {switchover: 1, failover: 1, other: 1}
`

// lines are the operator's part of a configuration.
func (o Operator) lines() string {
	if o.isZero() {
		return commented
	}
	var b strings.Builder
	b.WriteString("mode: observe # of 'reconcile run'; apply also carries out what is approved\ngit:\n")
	fmt.Fprintf(&b, "  url: %s\n  ref: %s\n  path: %s\n", quote(o.Git.URL), quote(o.Git.Ref), quote(o.Git.Path))
	var auth []string
	a := o.Git.Auth
	if a.SSHKeyFile != "" {
		auth = append(auth, "sshKeyFile: "+quote(a.SSHKeyFile))
	}
	if a.SSHAgent {
		auth = append(auth, "sshAgent: true")
	}
	if a.KnownHostsFile != "" {
		auth = append(auth, "knownHostsFile: "+quote(a.KnownHostsFile))
	}
	if !a.Password.IsZero() {
		auth = append(auth, "passwordFrom: {"+secretLine(a.Password)+"}")
	}
	if len(auth) > 0 {
		fmt.Fprintf(&b, "  auth: {%s}\n", strings.Join(auth, ", "))
	}
	fmt.Fprintf(&b, "ledger: {path: %s}\napproval:\n  allowedSigners: %s\n", quote(o.Ledger), quote(o.AllowedSigners))
	fmt.Fprintf(&b, "  quorum: {switchover: 1, failover: %d, other: 1} # people who did not write the change\n", o.FailoverQuorum())
	return b.String()
}

// FailoverQuorum is how many people must approve a failover.
func (o Operator) FailoverQuorum() int {
	if o.Quorum > 0 {
		return o.Quorum
	}
	return max(1, min(2, len(o.Approvers)-1))
}

// readsAs reports whether the configuration says what the operator meant.
func (o Operator) readsAs(c schema.Config) bool {
	if o.isZero() {
		return true
	}
	read := c.Git
	read.PollInterval = o.Git.PollInterval // it has a default
	return read == o.Git && c.Ledger.Path == o.Ledger && c.Approval.AllowedSigners == o.AllowedSigners
}

// signers is the list of approvers.
func (o Operator) signers() ([]byte, error) {
	if o.isZero() {
		return nil, nil
	}
	var out bytes.Buffer
	var bad []error
	had := map[string]string{} // whose key it is
	for _, spec := range o.Approvers {
		email, path, _ := strings.Cut(spec, "=")
		key, err := approver(email, path)
		if err != nil {
			bad = append(bad, fmt.Errorf("--approver %q: %w", email, err))
			continue
		}
		if other, twice := had[key]; twice {
			bad = append(bad, fmt.Errorf("--approver %q: %s has the same key, and one key is one person", email, other))
		}
		if slices.Contains(slices.Collect(maps.Values(had)), email) {
			bad = append(bad, fmt.Errorf("--approver %q is named twice", email))
		}
		had[key] = email
		out.WriteString(gitsource.AllowedSignersLine(email, key))
	}
	if o.Quorum < 0 || o.Quorum > len(o.Approvers) {
		bad = append(bad, fmt.Errorf("--quorum is %d, and %d people can approve", o.Quorum, len(o.Approvers)))
	}
	if len(bad) == 0 {
		bad = append(bad, gitsource.Keys{AllowedSigners: out.Bytes()}.Check())
	}
	return out.Bytes(), errors.Join(bad...)
}

// CheckApprover says why a text is not E-MAIL=FILE with a public key.
func CheckApprover(spec string) error {
	email, path, _ := strings.Cut(spec, "=")
	_, err := approver(email, path)
	return err
}

// approver reads the public key of a person, as one line without a comment.
func approver(email, path string) (string, error) {
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || strings.ContainsAny(email, "*?!,\"") {
		return "", errors.New("want E-MAIL=FILE, as alice@example.com=alice.pub, with the e-mail that the person commits with")
	}
	data, err := os.ReadFile(homePath(path))
	if err != nil {
		return "", fmt.Errorf("read the public key: %w", err)
	}
	if bytes.Contains(data, []byte("PRIVATE KEY")) {
		return "", fmt.Errorf("%s holds a private key, which belongs to that person alone (hint: name the .pub file)", path)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return "", fmt.Errorf("%s holds no public key in the form of ssh-keygen (hint: name the .pub file)", path)
	}
	return string(bytes.TrimSpace(ssh.MarshalAuthorizedKey(key))), nil
}
