package gitdir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// layout holds the folders of a local repository (gitrepository-layout(5)).
type layout struct {
	own    string // the folder of this work tree: HEAD
	common string // shared by all work trees: objects, refs, config
}

// ErrNoRepository marks a path that is no repository, nor inside one.
var ErrNoRepository = errors.New("not a Git repository")

// findLayout finds the repository of a path as git does: the folder itself or one
// above it has a .git folder or file, or is a bare repository.
func findLayout(path string) (layout, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return layout{}, err
	}
	for at := path; ; at = filepath.Dir(at) {
		dotGit, err := gitFile(filepath.Join(at, ".git"))
		if err != nil {
			return layout{}, err
		}
		for _, folder := range []string{dotGit, at} {
			if l, err := layoutOf(folder); err != nil || l.own != "" {
				return l, err
			}
		}
		if at == filepath.Dir(at) {
			return layout{}, ErrNoRepository
		}
	}
}

// gitFile returns where a .git file points, or the path itself.
func gitFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return path, nil //nolint:nilerr // no such file: a folder above may be the repository
	}
	text, err := readSmall(path)
	if err != nil {
		return "", err
	}
	target, ok := strings.CutPrefix(text, "gitdir: ")
	if target = strings.TrimRight(target, "\r\n"); !ok || target == "" {
		return "", fmt.Errorf("%s does not say `gitdir: PATH`", path)
	}
	return resolveFrom(path, target), nil
}

// resolveFrom resolves a path that is written in a file.
func resolveFrom(file, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// layoutOf returns the layout of a folder; none if it is no repository's.
func layoutOf(folder string) (layout, error) {
	l := layout{own: folder, common: folder}
	file := filepath.Join(folder, "commondir")
	text, err := readSmall(file)
	if err == nil {
		l.common = resolveFrom(file, strings.TrimRight(text, "\r\n"))
	} else if !isMissingFile(err) {
		return layout{}, err
	}
	if _, err := os.Lstat(filepath.Join(folder, "HEAD")); err != nil || !isDir(filepath.Join(l.common, "objects")) || !isDir(filepath.Join(l.common, "refs")) {
		return layout{}, nil //nolint:nilerr // a folder above may be the repository
	}
	return l, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// isMissingFile says whether an error means that there is no such file.
func isMissingFile(err error) bool {
	return errors.Is(err, os.ErrNotExist) || strings.HasSuffix(err.Error(), "not a directory")
}

// maxSmall bounds files that hold a line or a few: refs, .git files, alternates.
const maxSmall = 1 << 20

func readSmall(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path) // reading a pipe would block
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxSmall))
	return string(text), err
}

// shallow lists the commits whose parents a clone left out.
func (l layout) shallow() ([]plumbing.Hash, error) {
	text, err := readSmall(filepath.Join(l.common, "shallow"))
	if err != nil && !isMissingFile(err) {
		return nil, err
	}
	var out []plumbing.Hash
	for line := range strings.Lines(text) {
		out = append(out, plumbing.NewHash(strings.TrimSpace(line)))
	}
	return out, nil
}

// format holds the storage format in a repository's config. Nothing else of the config
// is read.
type format struct {
	version    string
	extensions map[string]string
}

// ErrFormat marks a repository in a format that is not read.
var ErrFormat = errors.New("the repository has a format that is not read")

// harmlessExtensions lists the extensions of git (git-config(1), extensions.*) that do
// not affect a reader of objects and refs.
var harmlessExtensions = map[string]bool{
	"noop": true, "noop-v1": true, "preciousobjects": true, "partialclone": true, "worktreeconfig": true,
	"relativeworktrees": true, "compatobjectformat": true, "submodulepathconfig": true,
}

// readFormat reads the format of a repository.
func (l layout) readFormat() (format, error) {
	text, err := readSmall(filepath.Join(l.common, "config"))
	if err != nil && !isMissingFile(err) {
		return format{}, fmt.Errorf("its config cannot be read: %w", err)
	}
	f := format{extensions: map[string]string{}}
	parseConfig(text, func(section, key, value string) {
		switch {
		case section == "core" && key == "repositoryformatversion":
			f.version = value
		case section == "extensions":
			f.extensions[key] = value
		}
	})
	return f, f.check()
}

// ConvertHint is the command that converts a repository with SHA-256 object names.
const ConvertHint = "a repository with the same history is made in it by `git init -q --bare --object-format=sha1 ../sha1.git && git fast-export --all --signed-tags=strip | git -C ../sha1.git fast-import --quiet && git -C ../sha1.git symbolic-ref HEAD \"$(git symbolic-ref HEAD)\"`; approve there again, since signatures cover the object names"

// check refuses a format that this package would misread.
func (f format) check() error {
	switch f.version {
	case "", "0", "1":
	default:
		return fmt.Errorf("%w: core.repositoryFormatVersion is %+q, and 0 and 1 are known", ErrFormat, f.version)
	}
	for key, value := range f.extensions {
		value = strings.ToLower(value)
		switch {
		case key == "objectformat" && value != "sha1":
			return fmt.Errorf("%w: it uses %s object names, and only SHA-1 ones are read: %s", ErrFormat, value, ConvertHint)
		case key == "refstorage" && value != "files" && value != "reftable":
			return fmt.Errorf("%w: its refs are stored as %+q: run `git refs migrate --ref-format=files` in it", ErrFormat, value)
		case f.version == "1" && !harmlessExtensions[key] && key != "objectformat" && key != "refstorage":
			return fmt.Errorf("%w: its config says extensions.%s, which is not known: give a clone of it that `git clone` made", ErrFormat, key)
		}
	}
	return nil
}

func (f format) reftable() bool { return strings.EqualFold(f.extensions["refstorage"], "reftable") }

// parseConfig reads the variables of a git config file that stand in sections
// without a subsection, with names in lower case. It skips unreadable lines.
func parseConfig(text string, set func(section, key, value string)) {
	text = strings.TrimPrefix(text, "\ufeff")
	section, subsection := "", false
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		for comment := strings.HasPrefix(strings.TrimSpace(line), "#"); !comment && text != ""; {
			cut, goesOn := strings.CutSuffix(strings.TrimSuffix(line, "\r"), "\\")
			if !goesOn {
				break
			}
			var next string
			next, text, _ = strings.Cut(text, "\n")
			line = cut + next
		}
		line = strings.TrimSpace(line)
		if head, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "]"); ok && strings.HasPrefix(line, "[") {
			name, _, quoted := strings.Cut(strings.TrimSpace(head), " ")
			section, subsection = strings.ToLower(name), quoted
			line = strings.TrimSpace(rest)
		}
		key, value, assigned := strings.Cut(line, "=")
		if key = strings.ToLower(strings.TrimSpace(key)); key == "" || subsection || key[0] == '#' || key[0] == ';' {
			continue
		}
		if !assigned {
			key, _, _ = strings.Cut(key, " ")
			value = "true"
		}
		set(section, key, configValue(value))
	}
}

// configValue takes the quotes and a comment off a value.
func configValue(s string) string {
	var out strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '#' || c == ';'):
			return strings.TrimSpace(out.String())
		case c == '\\' && i+1 < len(s):
			i++
			out.WriteByte(s[i])
		default:
			out.WriteByte(c)
		}
	}
	return strings.TrimSpace(out.String())
}
