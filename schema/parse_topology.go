package schema

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"milvus-reconcile/plan"
)

const (
	apiVersion      = "reconcile/v1alpha1"
	docKindTopology = "ReplicationTopology"
	docKindConfig   = "Config"
	defaultChannels = 16
	defaultProbes   = 3
)

// The defaults of contract.md §2; a test compares them with the schema.
const (
	defaultMaxLag         = 10 * time.Second
	defaultCatchUpWithin  = 30 * time.Second
	defaultTimeout        = 10 * time.Minute
	defaultUnavailableFor = 30 * time.Second
	defaultBlockPeriod    = time.Hour
)

// identity is what a document says of its name and its clusters, even when
// the rest of it is bad: names must be unique among all documents.
type identity struct {
	name  mention
	ids   []mention
	valid bool
}

// mention is a word and where it stands.
type mention struct {
	word string
	file string
	path string
	at   position
}

func (f field) mention() mention {
	path := f.path()
	return mention{word: f.text(), file: f.doc.file, path: path, at: f.doc.find(path)}
}

// parsed is the outcome of one document.
type parsed struct {
	topology plan.Topology
	identity identity
	problems Problems
	raw      []byte
}

// parseTopology takes one document through all stages.
func parseTopology(d *document) (parsed, bool) {
	d.parseNodes()
	d.decode()
	if d.root == nil && len(d.problems) == 0 {
		return parsed{}, false
	}
	out := parsed{raw: d.chunk.data}
	if d.decoded && d.ofKind(docKindTopology) {
		d.checkStructure(topologySchema())
		out.topology = d.topology()
	}
	out.identity = d.identity()
	out.problems = d.problems
	out.identity.valid = d.decoded && len(d.problems) == 0
	return out, true
}

// ofKind reports whether the document is worth checking field by field. A
// document of another kind or version gets one problem, not one for each of
// its keys.
func (d *document) ofKind(kind string) bool {
	if _, ok := d.value.(map[string]any); !ok {
		hint := "start it with apiVersion: " + apiVersion + " and kind: " + kind
		if s, ok := d.value.(string); ok && strings.HasPrefix(s, "version https://git-lfs.github.com/") {
			hint = "this is a pointer of Git LFS: take topology files out of it in .gitattributes, and commit the file itself"
		}
		d.fail("", "the document is "+kindOf(d.value)+", not a mapping", hint)
		return false
	}
	found, version := d.field().get("kind"), d.field().get("apiVersion")
	if s := found.text(); s != "" && s != kind {
		hint := "write kind: " + kind + ", or keep this document elsewhere"
		if s == docKindConfig {
			hint = "keep the operator's configuration outside the topology repository"
		}
		found.fail(quoted(s)+" is not the kind of document that belongs here", hint)
		return false
	}
	if s := version.text(); s != "" && s != apiVersion {
		version.fail(quoted(s)+" is not a known version", "write apiVersion: "+apiVersion)
		return false
	}
	return true
}

func (d *document) identity() identity {
	root := d.field()
	out := identity{}
	if !d.decoded {
		out.name = d.nameInNodes()
	}
	if name := root.get("metadata").get("name"); name.text() != "" {
		out.name = name.mention()
	}
	for _, c := range root.get("spec").get("clusters").items() {
		if id := c.get("id"); id.text() != "" {
			out.ids = append(out.ids, id.mention())
		}
	}
	return out
}

// nameInNodes finds the name of a document that could not be decoded.
func (d *document) nameInNodes() mention {
	n := childNode(childNode(d.root, "metadata"), "name")
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		return mention{}
	}
	return mention{word: n.Value, file: d.file, path: "/metadata/name", at: d.at(n)}
}

// topology reads the values, fills in the defaults and applies the rules that
// a schema cannot say.
func (d *document) topology() plan.Topology {
	root := d.field()
	spec := root.get("spec")
	clusters := spec.get("clusters").items()
	t := plan.Topology{
		Name:       root.get("metadata").get("name").text(),
		Generation: spec.get("generation").numberOr(0),
		MaxLag:     spec.get("objectives").get("maxLag").durationOr(defaultMaxLag),
		Switchover: switchover(spec.get("switchover")),
		Failover:   failover(spec.get("failover")),
		Rehearse:   rehearse(spec.get("rehearse")),
		At:         root.position(),
		Labels:     labels(root.get("metadata").get("labels")),
	}
	for _, f := range clusters {
		t.Clusters = append(t.Clusters, cluster(f))
	}
	checkClusters(spec.get("clusters"), t.Clusters)
	checkRehearsal(spec.get("rehearse"), t)
	slices.SortStableFunc(t.Clusters, func(a, b plan.Cluster) int { return cmp.Compare(a.ID, b.ID) })
	return t
}

const (
	maxLabel     = 63
	labelLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)

// labels reads a mapping of words; nil: there are none.
func labels(f field) map[string]string {
	keys, values := f.entries()
	var out map[string]string
	for i, key := range keys {
		if key == "" || len(key) > maxLabel || strings.Trim(key, labelLetters+"-._/") != "" || strings.Trim(key[:1]+key[len(key)-1:], labelLetters) != "" {
			values[i].fail(quoted(key)+" is not a label", "write at most 63 letters, digits, '.', '_', '/' and '-', the first and the last a letter or digit")
		}
		if out == nil {
			out = make(map[string]string, len(keys))
		}
		out[key] = values[i].text()
	}
	return out
}

func switchover(f field) plan.Switchover {
	return plan.Switchover{
		CatchUpWithin: f.get("catchUpWithin").durationOr(defaultCatchUpWithin),
		Timeout:       f.get("timeout").intervalOr(defaultTimeout),
	}
}

// rehearse reads the request for a rehearsal; nil: there is none.
func rehearse(f field) *plan.RehearsalRequest {
	if !f.set {
		return nil
	}
	return &plan.RehearsalRequest{To: f.get("to").text(), Generation: f.get("generation").numberOr(0)}
}

func failover(f field) plan.Failover {
	return plan.Failover{
		UnavailableFor: f.get("unavailableFor").durationOr(defaultUnavailableFor),
		Probes:         int(f.get("probes").numberOr(defaultProbes)),
		BlockPeriod:    f.get("blockPeriod").durationOr(defaultBlockPeriod),
		Verify:         plan.VerifyLevel(f.get("verify").textOr(string(plan.VerifyDDL))),
	}
}

// cluster reads one entry of spec.clusters.
func cluster(f field) plan.Cluster {
	id := f.get("id").text()
	return plan.Cluster{
		ID:            id,
		Role:          plan.Role(f.get("role").text()),
		URI:           f.get("uri").text(),
		ClientAddress: clientAddress(f),
		PChannels:     channels(f.get("pchannels"), id),
		Promotable:    f.get("promotable").flagOr(true),
		Provisioned:   provisioned(f.get("provisioned")),
		Rebuild:       rebuild(f.get("rebuild")),
		Site:          f.get("site").text(),
		At:            f.position(),
	}
}

// clientAddress is the written one, else the host and port of the uri.
func clientAddress(f field) string {
	u, ok := f.get("uri").clusterURI()
	if written := f.get("clientAddress"); written.set {
		return written.address()
	}
	if !ok {
		return ""
	}
	if u.Port() == "" {
		f.get("uri").fail("the uri has no port, and there is no clientAddress", "add the port, such as :19530, or write clientAddress: host:port")
		return ""
	}
	return net.JoinHostPort(u.Hostname(), u.Port())
}

// channels are the cluster's own physical channels: Milvus names them
// <id>-rootcoord-dml_<i> unless it was told otherwise.
func channels(f field, id string) []string {
	if _, isList := f.value.([]any); isList {
		return channelList(f)
	}
	prefix := f.get("prefix").textOr(id + "-rootcoord-dml_")
	count := f.get("count").numberOr(defaultChannels)
	if count < 1 || count > 1024 {
		return nil
	}
	return numbered(prefix, int(count))
}

// numbered gives prefix0, prefix1 and so on, all cut from one text.
func numbered(prefix string, count int) []string {
	ends, text := make([]int, count), make([]byte, 0, count*(len(prefix)+4))
	for i := range ends {
		text = strconv.AppendInt(append(text, prefix...), int64(i), 10)
		ends[i] = len(text)
	}
	all, begin, out := string(text), 0, make([]string, count)
	for i, end := range ends {
		out[i], begin = all[begin:end], end
	}
	return out
}

// channelList checks an explicit list. Peers map channels by position, so the
// numbered ones of a common stem must ascend.
func channelList(f field) []string {
	out := f.texts()
	seen := map[string]bool{}
	last := map[string]string{}
	for _, item := range f.items() {
		name := item.text()
		if name == "" {
			continue
		}
		if seen[name] {
			item.fail(fmt.Sprintf("the channel %s appears twice", quoted(name)), "list each channel once")
			continue
		}
		seen[name] = true
		stem, number := splitNumber(name)
		if number == "" {
			continue
		}
		if before, ok := last[stem]; ok && !lessNumber(before, number) {
			item.fail(fmt.Sprintf("the channel %s is not in numeric order", quoted(name)), "order the channels by their number: peers map them by position")
			continue
		}
		last[stem] = number
	}
	return out
}

// splitNumber cuts the digits off the end of a channel name.
func splitNumber(name string) (stem, number string) {
	stem = strings.TrimRight(name, "0123456789")
	return stem, name[len(stem):]
}

// lessNumber compares digits of any length.
func lessNumber(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

func provisioned(f field) plan.Provisioned {
	return plan.Provisioned{
		From:     plan.ProvisionedFrom(f.get("from").text()),
		At:       f.get("at").time(),
		Evidence: f.get("evidence").text(),
	}
}

func rebuild(f field) plan.RebuildRequest {
	return plan.RebuildRequest{Generation: f.get("generation").numberOr(0), Data: plan.ProvisionedFrom(f.get("data").text())}
}
