package schema

import "slices"

// content is a file's bytes, parsed. What its slices hold is shared and never
// changed; its fields are the Reader's, under its lock.
type content struct {
	docs     []parsed
	problems Problems
	file     string // that docs and problems name
	placed   bool   // file was set
	parsed   bool   // it shares nothing with a content of another generation
	weight   int
	hashes   []Document // once asked for
	hashed   bool
}

// heldBytes estimates what is held of a content of that many bytes, but its channels.
func (c *content) heldBytes(bytes int) int {
	const each = 512
	weight := each + bytes + each*len(c.problems)
	for _, d := range c.docs {
		weight += each + each*len(d.problems)
		if c.parsed {
			weight += each * len(d.topology.Clusters)
		}
	}
	return weight
}

func (c *content) documents() []Document {
	if !c.hashed {
		c.hashes, c.hashed = documentsOf(c.docs), true
	}
	return c.hashes
}

// in says what the content is as a file of that name. It is kept, too: mostly the
// next to ask means the same file.
func (c *content) in(file string) ([]parsed, Problems) {
	if c.placed && c.file == file {
		return c.docs, c.problems
	}
	docs := slices.Clone(c.docs)
	for i := range docs {
		d := &docs[i]
		d.topology.At.File = file
		d.topology.Clusters = slices.Clone(d.topology.Clusters)
		for j := range d.topology.Clusters {
			d.topology.Clusters[j].At.File = file
		}
		d.identity.name.file = file
		d.identity.ids = slices.Clone(d.identity.ids)
		for j := range d.identity.ids {
			d.identity.ids[j].file = file
		}
		d.problems = d.problems.in(file)
	}
	c.docs, c.problems, c.file, c.placed = docs, c.problems.in(file), file, true
	return c.docs, c.problems
}

func (ps Problems) in(file string) Problems {
	out := slices.Clip(slices.Clone(ps)) // more are found with other files
	for i := range out {
		out[i].File = file
	}
	return out
}
