package gitsource

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"milvus-reconcile/reconcile/approval"
)

// header is one header of a commit or tag, with its continuation lines
// joined by newlines.
type header struct {
	key   string
	value string
	start int // of its first byte in the object
	end   int // after its last newline
}

// object is a commit or tag read from its raw bytes.
type object struct {
	headers   []header
	body      string // after the empty line; of a tag without its signature
	signature string // armoured; empty: none
	payload   []byte // what a signature is over
	problem   string // why it can be no carrier
}

// errObject marks bytes that are no commit or tag.
var errObject = errors.New("malformed object")

// splitObject reads headers up to the empty line. On an error it returns the headers so
// far, including one without an end.
func splitObject(raw []byte) ([]header, string, error) {
	var out []header
	for pos := 0; pos < len(raw); {
		end := bytes.IndexByte(raw[pos:], '\n')
		if end < 0 {
			key, value, _ := strings.Cut(string(raw[pos:]), " ")
			return append(out, header{key: key, value: value, start: pos, end: len(raw)}), "", fmt.Errorf("%w: a header does not end", errObject)
		}
		line, next := string(raw[pos:pos+end]), pos+end+1
		switch {
		case line == "":
			return out, string(raw[next:]), nil
		case line[0] == ' ':
			if len(out) == 0 {
				return nil, "", fmt.Errorf("%w: it begins with a continuation", errObject)
			}
			out[len(out)-1].value += "\n" + line[1:]
			out[len(out)-1].end = next
		default:
			key, value, _ := strings.Cut(line, " ")
			out = append(out, header{key: key, value: value, start: pos, end: next})
		}
		pos = next
	}
	return out, "", nil // a message may be missing altogether
}

// parseCommit reads the raw bytes of a commit. For a commit that git would not have
// made, problem holds the fault, and the readable parts are set.
func parseCommit(raw []byte) object {
	headers, body, err := splitObject(raw)
	o := object{headers: headers, body: body, payload: raw}
	if err == nil {
		err = o.requireOrder("tree", "parent", "author", "committer")
	}
	if err != nil {
		o.problem = err.Error()
	}
	o.takeHeaderSignature(raw)
	o.inspect()
	return o
}

// treeAndParents reads where a commit stands, its tree and its parents, as git does: from
// its first lines, whatever follows them. head is how many bytes these lines have.
func treeAndParents(in *bufio.Reader) (tree plumbing.Hash, parents []plumbing.Hash, head int64, err error) {
	tree, head, err = idLine(in, "tree ")
	if err != nil || head == 0 {
		return tree, nil, 0, fmt.Errorf("%w: it does not begin with a tree", errObject)
	}
	for len(parents) < maxParents {
		parent, size, err := idLine(in, "parent ")
		if err != nil || size == 0 {
			return tree, parents, head, err
		}
		parents, head = append(parents, parent), head+size
	}
	return tree, nil, 0, fmt.Errorf("%w: it has %d parents or more", errTooLarge, maxParents)
}

// idLine reads a line of key and id. Its size is 0 if the next line has another key.
func idLine(in *bufio.Reader, key string) (id plumbing.Hash, size int64, err error) {
	line, _ := in.Peek(len(key) + 2*len(id) + 1)
	if !bytes.HasPrefix(line, []byte(key)) {
		return id, 0, nil
	}
	digits, ended := bytes.CutSuffix(line[len(key):], []byte("\n"))
	if _, err := hex.Decode(id[:], digits[:min(len(digits), 2*len(id))]); err != nil || !ended || len(digits) != 2*len(id) {
		return id, 0, fmt.Errorf("%w: a line %+q holds no id", errObject, key)
	}
	_, err = in.Discard(len(line))
	return id, int64(len(line)), err
}

// parseTag reads the raw bytes of a tag. Its signature stands at the end of
// the body, from the last line that begins one, as git has it.
func parseTag(raw []byte) (object, error) {
	headers, body, err := splitObject(raw)
	if err != nil {
		return object{}, err
	}
	o := object{headers: headers, body: body, payload: raw}
	if err := o.requireOrder("object", "type", "tag", "tagger"); err != nil {
		return object{}, err
	}
	starts := signatureStarts(body)
	if len(starts) > 0 {
		at := starts[len(starts)-1]
		o.body, o.signature = body[:at], body[at:]
		o.payload = raw[:len(raw)-len(o.signature)]
	}
	if len(starts) > 1 {
		o.problem = "it has several signatures"
	}
	o.inspect()
	return o, nil
}

// requireOrder returns an error unless the object begins with these headers in this
// order. Each occurs once, except parent, which may occur any number of times.
func (o *object) requireOrder(keys ...string) error {
	i := 0
	for _, key := range keys {
		if key == "parent" {
			for i < len(o.headers) && o.headers[i].key == key {
				i++
			}
			continue
		}
		if i >= len(o.headers) || o.headers[i].key != key {
			return fmt.Errorf("%w: header %s is missing or out of order", errObject, key)
		}
		i++
	}
	for _, h := range o.headers[i:] {
		if slices.Contains(keys, h.key) {
			return fmt.Errorf("%w: header %s appears twice", errObject, h.key)
		}
	}
	return nil
}

// takeHeaderSignature moves a commit's signature out of the payload.
func (o *object) takeHeaderSignature(raw []byte) {
	found := 0
	for _, h := range o.headers {
		if h.key != "gpgsig" {
			continue
		}
		found++
		o.signature = h.value + "\n"
		o.payload = append(append([]byte(nil), raw[:h.start]...), raw[h.end:]...)
	}
	if found > 1 && o.problem == "" {
		o.problem = "it has several signatures"
	}
}

// inspect sets a problem if the message would be shown differently from its bytes.
func (o *object) inspect() {
	switch encoding := o.headerValue("encoding"); {
	case o.problem != "":
	case strings.ContainsRune(o.body, 0) || bytes.ContainsRune(o.payload, 0):
		o.problem = "it holds a NUL byte, where git ends the message"
	case encoding != "" && !strings.EqualFold(encoding, "utf-8"):
		o.problem = fmt.Sprintf("its message is encoded as %+q, not UTF-8", encoding)
	}
}

// unknownHeaders lists headers that plain git does not write.
func (o *object) unknownHeaders(known ...string) []string {
	var out []string
	for _, h := range o.headers {
		if !slices.Contains(known, h.key) {
			out = append(out, h.key)
		}
	}
	return out
}

func (o *object) headerValue(key string) string {
	for _, h := range o.headers {
		if h.key == key {
			return h.value
		}
	}
	return ""
}

func (o *object) headerValues(key string) []string {
	var out []string
	for _, h := range o.headers {
		if h.key == key {
			out = append(out, h.value)
		}
	}
	return out
}

// payloadHash identifies the signed content, independent of the signature.
func (o *object) payloadHash() string {
	sum := sha256.Sum256(o.payload)
	return hex.EncodeToString(sum[:])
}

// signatureStarts returns where lines of the body begin a signature of any
// kind that git knows.
func signatureStarts(body string) []int {
	var out []int
	for pos := 0; pos < len(body); {
		if beginsSignature(body[pos:]) {
			out = append(out, pos)
		}
		end := strings.IndexByte(body[pos:], '\n')
		if end < 0 {
			break
		}
		pos += end + 1
	}
	return out
}

func beginsSignature(s string) bool {
	for _, begin := range []string{armorSSH, armorPGP, "-----BEGIN PGP MESSAGE-----", "-----BEGIN SIGNED MESSAGE-----"} {
		if strings.HasPrefix(s, begin) {
			return true
		}
	}
	return false
}

// parseIdent reads "NAME <E-MAIL> SECONDS ZONE" strictly.
func parseIdent(s string) (approval.Person, time.Time, error) {
	open, end := strings.IndexByte(s, '<'), strings.IndexByte(s, '>')
	if open < 0 || end < open || strings.ContainsAny(s[end+1:], "<>") || strings.Contains(s[open+1:end], "<") {
		return approval.Person{}, time.Time{}, fmt.Errorf("%w: %+q is no name with an e-mail", errObject, s)
	}
	p := approval.Person{Name: strings.TrimSpace(s[:open]), Email: strings.TrimSpace(s[open+1 : end])}
	seconds, zone, ok := strings.Cut(strings.TrimPrefix(s[end+1:], " "), " ")
	n, err := strconv.ParseUint(seconds, 10, 64)
	const year9999 = 253402300799
	if !ok || err != nil || n > year9999 || len(zone) != 5 || zone[0] != '+' && zone[0] != '-' {
		return p, time.Time{}, fmt.Errorf("%w: %+q has no readable date", errObject, s)
	}
	return p, time.Unix(int64(n), 0).UTC(), nil
}

// maxName is the length in bytes above which a name is dropped and only the e-mail kept.
const maxName = 256

// emails returns every possible e-mail of an ident, so that a malformed one hides no
// author: the one that git takes, between the first < and the next >, and each other
// word with the form of an e-mail.
func emails(ident string) []approval.Person {
	if p, _, err := parseIdent(ident); err == nil {
		if len(p.Name) > maxName {
			p.Name = ""
		}
		return []approval.Person{p}
	}
	var out []approval.Person
	if _, rest, ok := strings.Cut(ident, "<"); ok {
		if mail, _, ok := strings.Cut(rest, ">"); ok && strings.TrimSpace(mail) != "" {
			out = append(out, approval.Person{Email: strings.TrimSpace(mail)})
		}
	}
	for _, part := range strings.FieldsFunc(ident, func(r rune) bool { return r == '<' || r == '>' || r == ' ' }) {
		if p := (approval.Person{Email: part}); strings.Contains(part, "@") && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// coAuthors returns the people of all Co-authored-by lines of a message.
func coAuthors(message string) []approval.Person {
	const key = "co-authored-by:"
	var out []approval.Person
	for line := range strings.Lines(message) {
		line = strings.TrimSpace(line)
		if len(line) > len(key) && strings.EqualFold(line[:len(key)], key) {
			out = append(out, emails(strings.TrimSpace(line[len(key):])+" 0 +0000")...)
		}
	}
	return out
}
