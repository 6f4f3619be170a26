package schema

import (
	"io/fs"
	"slices"
	"sync"

	"milvus-reconcile/plan"
)

// Content is the bytes of a file, and a name for them that no other bytes have,
// such as the id of a Git blob. What has no name is parsed each time.
type Content struct {
	ID   string
	Read func() ([]byte, error)
}

// Named is a file system that names the content of its files without reading it.
type Named interface {
	fs.FS
	ContentID(file string) (string, error)
}

// keepParsed is what the contents of one half of a Reader weigh, about in bytes.
// A topology of three clusters weighs some 5 kB.
const keepParsed = 16 << 20

// Reader parses like the functions of this package, but each named content once,
// in whatever file, tree or history it stands. The zero value is ready; it may be
// used by several goroutines at once. What it keeps is bounded: contents that were
// not asked for longest are parsed again. What it returns shares memory with what
// it keeps, and must not be changed.
type Reader struct {
	mu         sync.Mutex
	young, old map[string]*content
	channels   map[string][]string // of the young, by the first of them
	weight     int                 // of the young
	parsed     int
}

// Parsed is how many contents have been parsed so far.
func (r *Reader) Parsed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.parsed
}

// Parse is Parse of a content that may be known. It fails if the content cannot
// be read.
func (r *Reader) Parse(file string, c Content) ([]plan.Topology, Problems, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, err := r.content(c)
	if err != nil {
		return nil, nil, err
	}
	topologies, problems := collect(known.in(file))
	return topologies, problems, nil
}

// Documents is Documents of a content that may be known.
func (r *Reader) Documents(c Content) ([]Document, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, err := r.content(c)
	if err != nil {
		return nil, err
	}
	return known.documents(), nil
}

// Load is Load; of a Named file system it reads only the files that are new.
func (r *Reader) Load(fsys fs.FS, root string) ([]plan.Topology, Problems) {
	r.mu.Lock()
	defer r.mu.Unlock()
	files, problems := list(fsys, cleanRoot(root))
	var docs []parsed
	for _, name := range files {
		var unread *Problem
		known, err := r.content(Content{ID: contentID(fsys, name), Read: func() (data []byte, err error) {
			if data, unread = read(fsys, name); unread != nil {
				return nil, fs.ErrInvalid
			}
			return data, nil
		}})
		if err != nil {
			problems = append(problems, *unread)
			continue
		}
		more, bad := known.in(name)
		docs, problems = append(docs, more...), append(problems, bad...)
	}
	checkAcross(docs)
	return collect(docs, problems)
}

func contentID(fsys fs.FS, name string) string {
	named, ok := fsys.(Named)
	if !ok {
		return ""
	}
	id, err := named.ContentID(name)
	if err != nil {
		return "" // reading it says what is wrong
	}
	return id
}

// content finds or parses a content.
func (r *Reader) content(c Content) (*content, error) {
	if known := r.find(c.ID); known != nil {
		return known, nil
	}
	data, err := c.Read()
	if err != nil {
		return nil, err
	}
	r.parsed++
	out := &content{}
	out.docs, out.problems = parseFile(data)
	if c.ID != "" {
		r.keep(c.ID, out, out.weigh(len(data))+r.share(out))
	}
	return out, nil
}

// share replaces lists of channels by equal ones of other contents: most versions
// of a document have the same. It gives about how many bytes are new.
func (r *Reader) share(c *content) int {
	weight := 0
	for _, d := range c.docs {
		for i, cluster := range d.topology.Clusters {
			if len(cluster.PChannels) == 0 {
				continue
			}
			known := r.channels[cluster.PChannels[0]]
			if slices.Equal(known, cluster.PChannels) {
				d.topology.Clusters[i].PChannels = known
				continue
			}
			if r.channels == nil {
				r.channels = map[string][]string{}
			}
			r.channels[cluster.PChannels[0]] = cluster.PChannels
			for _, channel := range cluster.PChannels {
				weight += len(channel) + 16
			}
		}
	}
	return weight
}

func (r *Reader) find(id string) *content {
	if known := r.young[id]; known != nil {
		return known
	}
	known := r.old[id]
	if known != nil {
		r.keep(id, known, known.weight)
	}
	return known
}

// keep puts a content among the young. When they are full, the old are dropped
// and the young are the old.
func (r *Reader) keep(id string, c *content, weight int) {
	c.weight = weight
	if weight > keepParsed {
		return
	}
	if r.young == nil {
		r.young = map[string]*content{}
	}
	if r.weight += weight; r.weight > keepParsed {
		r.old, r.young, r.channels, r.weight = r.young, map[string]*content{}, nil, weight
	}
	r.young[id] = c
}

// content is a file's bytes, parsed. What it holds is shared and never changed.
type content struct {
	docs     []parsed
	problems Problems
	file     string // that docs and problems name
	placed   bool   // file was set
	weight   int
	hashes   []Document // once asked for
	hashed   bool
}

// weigh estimates what is held of a content of that many bytes, but its channels.
func (c *content) weigh(bytes int) int {
	const each = 512
	weight := each + bytes + each*len(c.problems)
	for _, d := range c.docs {
		weight += each + each*len(d.problems)
		weight += each * len(d.topology.Clusters)
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
	out := slices.Clip(slices.Clone(ps)) // more are found beside other files
	for i := range out {
		out[i].File = file
	}
	return out
}
