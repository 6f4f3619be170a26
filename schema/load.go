package schema

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"milvus-reconcile/plan"
)

// Parse reads the documents of one file: the good topologies sorted by name,
// and everything that is wrong with the others. Names and cluster ids are not
// compared between documents; Load does that.
func Parse(file string, data []byte) ([]plan.Topology, Problems) {
	docs, problems := parseFile(data)
	return collect((&content{docs: docs, problems: problems}).in(file))
}

// Load reads every *.yaml and *.yml below root, recursively: the good
// topologies sorted by name, and all problems. Names and cluster ids must be
// unique over all files. A symbolic link or another file that is not regular
// is a problem, whatever its name: it would hide topologies.
func Load(fsys fs.FS, root string) ([]plan.Topology, Problems) {
	return new(Reader).Load(fsys, root)
}

func cleanRoot(root string) string {
	if root == "" {
		return "."
	}
	return path.Clean(root)
}

// list walks the tree; fs.WalkDir goes in lexical order.
func list(fsys fs.FS, root string) ([]string, Problems) {
	var files []string
	var problems Problems
	fail := func(name, message, hint string) {
		problems = append(problems, Problem{File: name, Message: message, Hint: hint})
	}
	if info, err := fs.Lstat(fsys, root); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		fail(root, "it is a symbolic link", "name the folder itself")
		return nil, problems
	}
	err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			fail(name, "it cannot be read: "+reason(err), remedy(err, "check the path and its permissions"))
			if entry != nil && entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir() && path.Base(name) == ".git":
			return fs.SkipDir
		case entry.IsDir():
		case entry.Type()&fs.ModeSymlink != 0:
			fail(name, "symbolic links are not allowed here", "put the file itself in its place")
		case !entry.Type().IsRegular():
			fail(name, "it is not a regular file", "remove it")
		case name == root || isYAML(name):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		fail(root, "it cannot be read: "+reason(err), "check the path and its permissions")
	}
	return files, problems
}

func isYAML(name string) bool {
	ext := strings.ToLower(path.Ext(name))
	return ext == ".yaml" || ext == ".yml"
}

// reason drops the path that fs errors repeat.
func reason(err error) string {
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	return printable(clip(err.Error()))
}

// remedy is what an error says to do; usual where it does not say.
func remedy(err error, usual string) string {
	if own := interface{ Remedy() string }(nil); errors.As(err, &own) {
		return printable(own.Remedy())
	}
	return usual
}

// read returns at most one byte more than allowed, so that an oversized file
// costs no more than a large one; checkText reports it.
func read(fsys fs.FS, name string) ([]byte, *Problem) {
	fail := func(err error) ([]byte, *Problem) {
		return nil, &Problem{File: name, Message: "it cannot be read: " + reason(err), Hint: remedy(err, "check the file and its permissions")}
	}
	file, err := fsys.Open(name)
	if err != nil {
		return fail(err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err == nil && info.Size() > maxFileSize {
		return nil, tooLarge(name, info.Size())
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// parseFile returns the outcome of each document that is not empty, and the
// problems of the file as a whole. No file is named yet, see content.in.
func parseFile(data []byte) ([]parsed, Problems) {
	chunks, problems := chunksOf("", data)
	var out []parsed
	for _, c := range chunks {
		if p, ok := parseTopology(newDocument("", c)); ok {
			out = append(out, p)
		}
	}
	if len(out) == 1 && out[0].identity.valid {
		out[0].raw = nil // its hash is of what it says
	}
	return out, problems
}

// chunksOf cuts a file whose text can be read at all.
func chunksOf(file string, data []byte) ([]chunk, Problems) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if problems := checkText(file, []byte(text)); len(problems) > 0 {
		return nil, problems
	}
	chunks := split([]byte(text))
	if len(chunks) > maxDocuments {
		return nil, Problems{{
			File: file, Line: chunks[maxDocuments].line, Column: 1,
			Message: fmt.Sprintf("the file has more than %d documents", maxDocuments), Hint: "split it into several files",
		}}
	}
	return chunks, nil
}

func collect(docs []parsed, problems Problems) ([]plan.Topology, Problems) {
	var out []plan.Topology
	for _, d := range docs {
		problems = append(problems, d.problems...)
		if len(d.problems) == 0 {
			out = append(out, d.topology)
		}
	}
	slices.SortStableFunc(out, func(a, b plan.Topology) int { return cmp.Compare(a.Name, b.Name) })
	return out, problems.sorted()
}
