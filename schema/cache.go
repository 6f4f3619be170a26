package schema

import (
	"crypto/sha256"
	"io/fs"
	"slices"
	"sync"

	"milvus-reconcile/plan"
)

// Cache does what Parse and Load do, and reads a file again only when its name
// or content is another one: a daemon reads a thousand files with every push,
// of which one changed. It keeps what the two newest rounds used, a round being
// one Load and what is parsed until the next. What it returns shares memory with
// what it keeps, and must not be changed. The zero value is ready; it may be
// used from any goroutine.
type Cache struct {
	mu            sync.Mutex
	before, fresh map[source]outcome
}

// source is one file, whoever holds it.
type source struct {
	name    string
	content [sha256.Size]byte
}

// outcome is what parseFile made of a source. Nothing in it is changed.
type outcome struct {
	docs     []parsed
	problems Problems
}

// Parse is [Parse].
func (c *Cache) Parse(file string, data []byte) ([]plan.Topology, Problems) {
	o := c.file(file, data)
	return collect(o.docs, slices.Clip(o.problems))
}

// Load is [Load].
func (c *Cache) Load(fsys fs.FS, root string) ([]plan.Topology, Problems) {
	c.mu.Lock()
	c.before, c.fresh = c.fresh, nil
	c.mu.Unlock()
	files, problems := list(fsys, cleanRoot(root))
	var docs []parsed
	for _, name := range files {
		data, problem := read(fsys, name)
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		o := c.file(name, data)
		docs, problems = append(docs, o.docs...), append(problems, o.problems...)
	}
	checkAcross(docs)
	return collect(docs, problems)
}

// file parses one file, unless it did before.
func (c *Cache) file(name string, data []byte) outcome {
	s := source{name, sha256.Sum256(data)}
	c.mu.Lock()
	o, known := c.fresh[s]
	if !known {
		o, known = c.before[s]
	}
	c.mu.Unlock()
	if !known {
		o.docs, o.problems = parseFile(name, data)
		for i := range o.docs {
			o.docs[i].problems = slices.Clip(o.docs[i].problems) // more are found beside other files
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh == nil {
		c.fresh = map[source]outcome{}
	}
	c.fresh[s] = o
	return o
}
