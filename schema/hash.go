package schema

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"milvus-reconcile/plan"
)

// Document names one document of a file and the hash of what it says.
type Document struct {
	Name       string // metadata.name
	Hash       string // sha256:…
	Generation int64  // of a good document; 0 for another
	Primary    string // the cluster that the only good document of that name makes primary, if any
}

// documentsOf names each document in one file that has a readable name, sorted
// by name. The hash of a good document covers its parsed content, so that
// formatting, comments and defaults written out don't matter. A bad document,
// or one that shares its name with another in the file, gets a hash of its
// text, so that a change of it is still seen.
func documentsOf(docs []parsed) []Document {
	byName := map[string][]parsed{}
	var names []string
	for _, d := range docs {
		name := d.identity.name.word
		if name == "" {
			continue
		}
		if byName[name] == nil {
			names = append(names, name)
		}
		byName[name] = append(byName[name], d)
	}
	slices.Sort(names)
	out := make([]Document, len(names))
	for i, name := range names {
		out[i] = Document{Name: name, Hash: hashOf(byName[name])}
		for _, d := range byName[name] {
			if len(d.problems) == 0 {
				out[i].Generation = d.topology.Generation
			}
		}
		if same := byName[name]; len(same) == 1 && len(same[0].problems) == 0 {
			primary, _ := same[0].topology.Primary()
			out[i].Primary = primary.ID
		}
	}
	return out
}

func hashOf(docs []parsed) string {
	if len(docs) == 1 && docs[0].identity.valid {
		return Hash(docs[0].topology)
	}
	var texts [][]byte
	for _, d := range docs {
		texts = append(texts, withoutMarkers(d.raw))
	}
	return digest(canonicalTexts{"reconcile/v1alpha1 text", texts})
}

// withoutMarkers drops what depends on the documents around this one.
func withoutMarkers(text []byte) []byte {
	if first, rest, ok := bytes.Cut(text, []byte("\n")); ok && string(bytes.TrimSpace(first)) == "---" {
		text = rest
	}
	text = bytes.TrimRight(bytes.TrimLeft(text, "\r\n"), " \r\n")
	return bytes.TrimRight(bytes.TrimSuffix(text, []byte("\n...")), " \r\n")
}

// The canonical form that Hash covers. It is apart from package plan, whose
// fields may be renamed without changing what people have approved.
type (
	canonicalTopology struct {
		Encoding      string             `json:"encoding"`
		Name          string             `json:"name"`
		Generation    int64              `json:"generation"`
		Clusters      []canonicalCluster `json:"clusters"`
		MaxLag        time.Duration      `json:"maxLag"`
		CatchUpWithin time.Duration      `json:"catchUpWithin"`
		Timeout       time.Duration      `json:"timeout"`
		Failover      canonicalFailover  `json:"failover"`
		// Rehearse is "to@generation"; empty: the document does not hold it.
		Rehearse string `json:"rehearse,omitempty"`
	}
	canonicalCluster struct {
		ID            string               `json:"id"`
		Role          string               `json:"role"`
		URI           string               `json:"uri"`
		ClientAddress string               `json:"clientAddress"`
		PChannels     []string             `json:"pchannels"`
		Promotable    bool                 `json:"promotable"`
		Provisioned   canonicalProvisioned `json:"provisioned"`
		Rebuild       canonicalRebuild     `json:"rebuild,omitzero"`
	}
	canonicalRebuild struct {
		Generation int64  `json:"generation"`
		Data       string `json:"data"`
	}
	canonicalProvisioned struct {
		From     string `json:"from"`
		At       string `json:"at"`
		Evidence string `json:"evidence"`
	}
	// canonicalTexts is the form of documents that say nothing valid.
	canonicalTexts struct {
		Encoding string
		Texts    [][]byte
	}
	canonicalFailover struct {
		UnavailableFor time.Duration `json:"unavailableFor"`
		Probes         int           `json:"probes"`
		BlockPeriod    time.Duration `json:"blockPeriod"`
		Verify         string        `json:"verify"`
	}
)

// Hash is the sha256 of everything that a document says, defaults included.
// Where it stands, its earlier version and moved clusters are not part of it. It tells
// whether two commits say the same, also of documents that are not valid; nothing compares
// it with plan.DocumentHash, which the ledger keeps.
func Hash(t plan.Topology) string {
	out := canonicalTopology{
		Encoding: apiVersion, Name: t.Name, Generation: t.Generation,
		MaxLag: t.MaxLag, CatchUpWithin: t.Switchover.CatchUpWithin, Timeout: t.Switchover.Timeout,
		Failover: canonicalFailover{
			UnavailableFor: t.Failover.UnavailableFor, Probes: t.Failover.Probes,
			BlockPeriod: t.Failover.BlockPeriod, Verify: string(t.Failover.Verify),
		},
	}
	if r := t.Rehearse; r != nil {
		out.Rehearse = fmt.Sprintf("%s@%d", r.To, r.Generation)
	}
	for _, c := range t.Clusters {
		out.Clusters = append(out.Clusters, canonicalCluster{
			ID: c.ID, Role: string(c.Role), URI: c.URI, ClientAddress: c.ClientAddress,
			PChannels: c.PChannels, Promotable: c.Promotable,
			Provisioned: canonicalProvisioned{
				From: string(c.Provisioned.From), At: c.Provisioned.At.UTC().Format(time.RFC3339Nano), Evidence: c.Provisioned.Evidence,
			},
			Rebuild: canonicalRebuild{Generation: c.Rebuild.Generation, Data: string(c.Rebuild.Data)},
		})
	}
	slices.SortStableFunc(out.Clusters, func(a, b canonicalCluster) int { return cmp.Compare(a.ID, b.ID) })
	return digest(out)
}

// canonical are the types that have a digest. They are made of strings, whole
// numbers, booleans and lists of them, and all of these have a JSON form;
// TestCanonicalFormsHaveJSON holds every field to that.
type canonical interface {
	canonicalTopology | canonicalTexts
}

// digest is the sha256 of the JSON form.
func digest[T canonical](v T) string {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%#v", v) // never, see canonical; two that differ still differ
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}
