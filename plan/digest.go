package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// digestEncoding names what a digest covers. It changes whenever that changes, so that
// an approval of one encoding never counts for another.
const digestEncoding = "reconcile-plan-digest/1"

// digestStep is what a digest covers of one step: what is sent to which cluster, and
// what is stored there before.
type digestStep struct {
	Cluster string         `json:"cluster"`
	Before  *Configuration `json:"before"`
	After   *Configuration `json:"after"`
	Force   bool           `json:"force"`
}

// topologyDigest is the hash that an approval pins, "sha256:" and 64 hexadecimal
// digits: the transition, and the steps that send a configuration (contract.md §4).
// Verification, traffic, reach, findings, lag, memory and commit are left out, so that
// a plan that was approved does not change by them. Empty without a transition.
func topologyDigest(name string, transition Transition, steps []Step) string {
	if transition == TransitionNone {
		return ""
	}
	content := struct {
		Encoding   string       `json:"encoding"`
		Topology   string       `json:"topology"`
		Transition Transition   `json:"transition"`
		Steps      []digestStep `json:"steps"`
	}{Encoding: digestEncoding, Topology: name, Transition: transition, Steps: []digestStep{}}
	for _, s := range steps {
		if s.Action.Sends() {
			content.Steps = append(content.Steps, digestStep{s.Cluster, withLists(s.Before), withLists(s.After), s.ForcePromote()})
		}
	}
	return hashJSON(content)
}

// planDigest hashes the lines "name digest" of the topologies with a transition,
// sorted.
func planDigest(topologies []TopologyPlan) string {
	var lines []string
	for _, t := range topologies {
		if t.Digest != "" {
			lines = append(lines, t.Name+" "+t.Digest)
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// DocumentHash identifies what a document says: every field that Git decides, without
// the places in the file and without the version before it. It is "sha256:" and 64
// hexadecimal digits. The ledger keeps it with the generation.
func DocumentHash(t Topology) string {
	c := Topology{
		Name: t.Name, Generation: t.Generation, MaxLag: t.MaxLag,
		Switchover: t.Switchover, Failover: t.Failover,
	}
	for _, m := range t.Clusters {
		m.At = Position{}
		m.Provisioned.At = m.Provisioned.At.UTC().Truncate(time.Nanosecond)
		c.Clusters = append(c.Clusters, m)
	}
	slices.SortFunc(c.Clusters, func(a, b Cluster) int { return compareStrings(a.ID, b.ID) })
	return hashJSON(c)
}

// hashJSON hashes the JSON of plain values. Structs of strings, numbers, booleans,
// times, lists and maps of strings always have one; if not, their Go form is hashed, so
// that two values that differ never hash alike.
func hashJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		data = fmt.Appendf(nil, "%#v", v)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// withLists copies a configuration and writes absent lists as empty ones, so that both
// hash alike.
func withLists(c *Configuration) *Configuration {
	if c == nil {
		return nil
	}
	out := c.Clone()
	if out.Clusters == nil {
		out.Clusters = []Member{}
	}
	if out.Edges == nil {
		out.Edges = []Edge{}
	}
	return &out
}
