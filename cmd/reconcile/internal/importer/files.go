package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"milvus-reconcile/cmd/reconcile/internal/wholefile"
	"milvus-reconcile/plan"
	"milvus-reconcile/schema"
)

const topologyHead = `# yaml-language-server: $schema=topology.schema.json
# (made by: reconcile schema topology > topology.schema.json)
#
# To change a role, run 'reconcile propose', or edit it here and raise
# spec.generation. Every change of a role needs an approval.
apiVersion: reconcile/v1alpha1
kind: ReplicationTopology
metadata:
  name: %s
spec:
  generation: %d
  clusters:
`

var roleNotes = map[plan.Role]string{
	plan.RolePrimary:  "takes writes",
	plan.RoleStandby:  "read-only, replicates from the primary",
	plan.RoleStale:    "takes writes of its own: isolate it, and rebuild it before it joins",
	plan.RoleDetached: "a writable cluster of its own",
}

// topologyFile returns the text of the topology file. It parses the text again and
// fails if the result differs from what was found.
func (im *imported) topologyFile() ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, topologyHead, plainOrQuoted(im.topology.Name), im.topology.Generation)
	for _, c := range im.topology.Clusters {
		fmt.Fprintf(&b, "    - id: %s\n      role: %s # %s\n      uri: %s\n", plainOrQuoted(c.ID), c.Role, im.note(c), quote(c.URI))
		if _, host, _ := strings.Cut(c.URI, "://"); strings.TrimSuffix(host, "/") != c.ClientAddress {
			fmt.Fprintf(&b, "      clientAddress: %s\n", quote(c.ClientAddress))
		}
		b.WriteString(channelLines(c))
	}
	b.WriteString("  # objectives: {maxLag: 10s}\n  # switchover: {catchUpWithin: 30s, timeout: 10m}\n" +
		"  # failover: {unavailableFor: 30s, probes: 3, blockPeriod: 1h, verify: ddl}\n")
	data := []byte(b.String())
	read, problems := schema.Parse(im.request.Name+".yaml", data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("these clusters cannot be written as a topology:\n%w", problems)
	}
	unlike := errors.New("the written topology would not match the clusters; nothing was written")
	if len(read) != 1 {
		return nil, unlike
	}
	want := im.topology
	want.MaxLag, want.Switchover, want.Failover = read[0].MaxLag, read[0].Switchover, read[0].Failover
	if schema.Hash(read[0]) != schema.Hash(want) {
		return nil, unlike
	}
	im.topology = read[0]
	return data, nil
}

// note explains the role of a cluster, for a comment in the file.
func (im *imported) note(c plan.Cluster) string {
	if c.Role == plan.RoleStandby && im.observed.View(c.ID).Belief.Kind == plan.BeliefUnconfigured {
		return "stores nothing yet: an approved apply attaches it"
	}
	return roleNotes[c.Role]
}

// channelLines returns the pchannels of a cluster as YAML; empty for the default names
// and number.
func channelLines(c plan.Cluster) string {
	prefix := strings.TrimSuffix(c.PChannels[0], "0")
	numbered := true
	for i, name := range c.PChannels {
		numbered = numbered && name == prefix+strconv.Itoa(i)
	}
	switch {
	case slices.Equal(c.PChannels, channelsOf(c.ID, defaultChannels)):
		return ""
	case numbered:
		return fmt.Sprintf("      pchannels: {prefix: %s, count: %d}\n", quote(prefix), len(c.PChannels))
	}
	out := "      pchannels:\n"
	for _, name := range c.PChannels {
		out += "        - " + quote(name) + "\n"
	}
	return out
}

const configHead = `# yaml-language-server: $schema=config.schema.json
# (made by: reconcile schema config > config.schema.json)
#
# The operator's configuration. Keep it outside the topology repository: it holds
# what a pull request must not be able to change. It names secrets and holds none.
apiVersion: reconcile/v1alpha1
kind: Config
%scredentials: # a token goes to this address alone, and with this uri alone
`

// configFile returns the text of a configuration with the credentials. It parses the
// text again and fails if a credential is bound to another address or uri.
func (im *imported) configFile() ([]byte, error) {
	var b strings.Builder
	fmt.Fprintf(&b, configHead, im.request.Operator.lines())
	var want []schema.Credential
	for _, c := range im.credentials {
		cluster, _ := im.topology.Cluster(c.ClusterID)
		c.URI = cluster.URI
		fmt.Fprintf(&b, "  - clusterId: %s\n    address: %s\n    uri: %s\n", plainOrQuoted(c.ClusterID), quote(c.Address), quote(c.URI))
		if dir := im.request.SecretDir; dir != "" {
			c.Token = schema.SecretRef{File: filepath.Join(dir, c.ClusterID+"-token")}
		}
		if !c.Token.IsZero() {
			fmt.Fprintf(&b, "    tokenFrom: {%s}\n", secretLine(c.Token))
		}
		if c.TLS != nil {
			fmt.Fprintf(&b, "    tls: {caFile: %s}\n", quote(c.TLS.CAFile))
		}
		want = append(want, c)
	}
	b.WriteString(im.placeLines())
	data := []byte(b.String())
	read, problems := schema.ParseConfig(im.request.ConfigPath, data)
	if len(problems) > 0 {
		return nil, fmt.Errorf("these clusters cannot be written as a configuration:\n%w", problems)
	}
	same := len(read.Credentials) == len(want) && im.request.Operator.readsAs(read) && im.samePlaces(read.Clusters)
	for i := range want {
		same = same && sameBinding(read.Credentials[i], want[i])
	}
	if !same {
		return nil, errors.New("the written configuration would not match the proven clusters; nothing was written")
	}
	return data, nil
}

// secretLine names where a secret is.
func secretLine(s schema.SecretRef) string {
	if s.File != "" {
		return "file: " + quote(s.File)
	}
	return "env: " + s.Env
}

func sameBinding(a, b schema.Credential) bool {
	return a.ClusterID == b.ClusterID && a.Address == b.Address && a.URI == b.URI && a.Token == b.Token && (a.TLS == nil) == (b.TLS == nil)
}

// notes says how each cluster was found and what comes next.
func (im *imported) notes(now time.Time) []string {
	var out []string
	for _, c := range im.topology.Clusters {
		v := im.observed.View(c.ID)
		out = append(out, fmt.Sprintf("%s at %s is proven; it stores the role %s, so it is written as %s", c.ID, c.ClientAddress, v.Belief.Kind, c.Role))
	}
	computed := plan.Compute(plan.Desired{Topologies: []plan.Topology{im.topology}}, im.observed, plan.Memory{Now: now})
	if t, ok := computed.Topology(im.topology.Name); ok && t.Transition != plan.TransitionNone {
		out = append(out, "the clusters are not as this file says: 'reconcile plan' will ask for "+strings.ReplaceAll(t.Transition.String(), "_", " "))
	}
	if im.request.ConfigPath != "" && im.request.Operator.isZero() {
		out = append(out, "next: set git, ledger and approval in "+im.request.ConfigPath+", commit the topology, and run 'reconcile plan'")
	}
	return out
}

var (
	plainWord    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`) })
	yamlKeywords = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)

// plainOrQuoted returns s without quotes if every YAML reader takes it for a string, else with.
func plainOrQuoted(s string) string {
	if plainWord().MatchString(s) && !slices.Contains(yamlKeywords, s) {
		return s
	}
	return quote(s)
}

// quote returns s as a JSON string, which is also a YAML string.
func quote(s string) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always has a JSON form
	return strings.TrimSpace(b.String())
}

// file is a file to write. An empty path means none.
type file struct {
	path string
	data []byte
}

// writeAll creates all of the files, or removes those that it created. It returns their
// paths.
func writeAll(files ...file) ([]string, error) {
	var written []string
	for _, f := range files {
		if f.path == "" {
			continue
		}
		if err := writeNew(f.path, f.data); err != nil {
			return nil, errors.Join(err, removeAll(written))
		}
		written = append(written, f.path)
	}
	return written, nil
}

func removeAll(paths []string) error {
	var bad []error
	for _, p := range paths {
		bad = append(bad, os.Remove(p))
	}
	return errors.Join(bad...)
}

// writeNew creates a file and its folder. It fails if the file exists.
func writeNew(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	if err := wholefile.Create(path, data); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
