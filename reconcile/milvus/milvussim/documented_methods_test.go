package milvussim_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// TestDocumentedMethods holds the list of methods in docs/conformance.md to the
// code: what is on it is served, what is not answers Unimplemented.
func TestDocumentedMethods(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(doc), "## Methods that are served\n")
	if !found {
		t.Fatal("the document has no list of methods")
	}
	section, _, _ = strings.Cut(section, "\nThe simulator answers every other method ")
	var listed []string
	for _, m := range regexp.MustCompile("`([A-Za-z0-9]+)`").FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	if got := serviceMethods(t); !slices.Equal(got, listed) {
		t.Errorf("served:\n%v\ndocumented:\n%v", got, listed)
	}
}

// serviceMethods are the RPCs that the service itself defines.
func serviceMethods(t *testing.T) []string {
	t.Helper()
	rpcs := map[string]bool{}
	for _, m := range milvuspb.MilvusService_ServiceDesc.Methods {
		rpcs[m.MethodName] = true
	}
	for _, s := range milvuspb.MilvusService_ServiceDesc.Streams {
		rpcs[s.StreamName] = true
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !rpcs[f.Name.Name] {
				continue
			}
			if of, ok := f.Recv.List[0].Type.(*ast.Ident); ok && of.Name == "service" {
				out = append(out, f.Name.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}
