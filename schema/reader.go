package schema

import (
	"io/fs"
	"slices"
	"sync"

	"milvus-reconcile/plan"
	"milvus-reconcile/schema/recent"
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
// used by several goroutines at once, whatever locks reading takes: two that ask for
// a new content at the same time both parse it. What it keeps is bounded: contents
// that were not asked for longest are parsed again. What it returns shares memory
// with what it keeps, and must not be changed.
type Reader struct {
	mu       sync.Mutex                    // never held while a file system or a Content is read
	known    *recent.Map[string, *content] // nil: nothing was kept yet
	frames   *recent.Map[frame, *content]  // by their text; nil: nothing was kept yet
	channels map[string][]string           // of the young half, by the first of them
	parsed   int
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
	known, err := r.content(c)
	if err != nil {
		return nil, nil, err
	}
	topologies, problems := collect(r.in(known, file))
	return topologies, problems, nil
}

// Documents names the documents of a content, sorted by name; the content may be known.
func (r *Reader) Documents(c Content) ([]Document, error) {
	known, err := r.content(c)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return known.documents(), nil
}

// Load is Load; of a Named file system it reads only the files that are new.
func (r *Reader) Load(fsys fs.FS, root string) ([]plan.Topology, Problems) {
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
		more, bad := r.in(known, name)
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
	var text frame
	var generation int64
	framed := false
	if c.ID != "" { // else nothing is kept
		text, generation, framed = frameOf(string(data))
	}
	if framed {
		if out := r.framed(text, generation); out != nil {
			return r.enter(c.ID, out, 0), nil
		}
	}
	out := &content{parsed: true}
	out.docs, out.problems = parseFile(data)
	framed = framed && out.frames(generation)
	out = r.enter(c.ID, out, len(data))
	if framed {
		r.keepFrame(text, out)
	}
	return out, nil
}

// framed makes the content of a text that differs from a known one in its generation
// alone; nil: there is none.
func (r *Reader) framed(text frame, generation int64) *content {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frames == nil {
		return nil
	}
	known, ok := r.frames.Get(text)
	if !ok {
		return nil
	}
	return known.withGeneration(generation)
}

// keepFrame keeps a content for texts that differ from it in their generation alone.
func (r *Reader) keepFrame(text frame, c *content) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frames == nil {
		r.frames = recent.NewWeighed[frame](keepFrames, func(c *content) int { return c.weight })
	}
	r.frames.Put(text, c)
}

// enter counts a content that was parsed from that many bytes, and keeps it if it
// has a name, unless another goroutine was faster.
func (r *Reader) enter(id string, c *content, bytes int) *content {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.parsed {
		r.parsed++
	}
	if id == "" {
		return c
	}
	if known := r.kept(id); known != nil {
		return known
	}
	if c.weight = c.heldBytes(bytes); c.parsed {
		c.weight += r.share(c)
	}
	if r.known == nil {
		r.known = recent.NewWeighed[string](keepParsed, func(c *content) int { return c.weight })
		r.known.Rotated = func() { r.channels = nil }
	}
	r.known.Put(id, c)
	return c
}

// in is in of a content that may be kept.
func (r *Reader) in(c *content, file string) ([]parsed, Problems) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.in(file)
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
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.kept(id)
}

// kept is the content of that name, or nil. The lock is held.
func (r *Reader) kept(id string) *content {
	if r.known == nil {
		return nil
	}
	known, _ := r.known.Get(id)
	return known
}
