package cli

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/rehearsal"
	"milvus-reconcile/cmd/reconcile/internal/render"
	"milvus-reconcile/reconcile"
)

// TestFormsAreThoseOfTheRenderers: a form that a command declares is one that it
// can write, and what it can write is declared.
func TestFormsAreThoseOfTheRenderers(t *testing.T) {
	r := &resultWriter{color: "never"}
	document := func(w io.Writer, form string) error { return r.writeDocument(w, form, render.Document{}) }
	writers := map[string]writer{
		"plan": document, "drift": document, "status": document, "show": document, "propose": document, "adopt": document,
		"apply": func(w io.Writer, form string) error {
			return r.writeApply(w, form, render.Document{}, reconcile.Report{}, "")
		},
		"fence": func(w io.Writer, form string) error {
			return r.writeApply(w, form, render.Document{}, reconcile.Report{}, "")
		},
		"rehearse": func(w io.Writer, form string) error {
			return rehearsal.Write(w, form, rehearsal.Report{})
		},
		"salvage": func(w io.Writer, form string) error {
			return render.Salvage(w, form, render.SalvageReport{}, render.TableOptions{})
		},
		"audit": func(w io.Writer, form string) error {
			return render.Audit(w, form, render.AuditReport{}, render.TableOptions{})
		},
		"doctor": func(w io.Writer, form string) error {
			return render.Doctor(w, form, render.Diagnosis{}, render.TableOptions{})
		},
		"validate": func(w io.Writer, form string) error {
			return render.Validate(w, form, render.Validation{}, render.TableOptions{})
		},
		"explain": func(w io.Writer, form string) error { return render.Codes(w, form, nil, render.TableOptions{}) },
		"version": func(w io.Writer, form string) error {
			return render.Version(w, form, render.Build{}, render.TableOptions{})
		},
		"history": func(w io.Writer, form string) error { return render.History(w, form, nil, nil, render.TableOptions{}) },
	}
	for name, forms := range commandForms {
		cmd, _, err := commandTree().Find([]string{name})
		if err != nil || cmd.Name() != name {
			t.Fatalf("%s is no command: %v", name, err)
		}
		write, ok := writers[name]
		if !ok {
			t.Fatalf("how is the result of %s written?", name)
		}
		for _, form := range planForms {
			if err := write(io.Discard, form); (err == nil) != slices.Contains(forms, form) {
				t.Errorf("%s as %s, which it has: %t, is written: %v", name, form, slices.Contains(forms, form), err)
			}
		}
	}
}

// TestWritableLeavesNoTrace: to ask whether a file can be written neither makes
// it nor changes it.
func TestWritableLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.WriteFile(at("old"), []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{at("old"), ""},
		{at("new"), ""},
		{os.DevNull, ""},
		{dir, "it is a folder"},
		{at("none/new"), "no such file"},
		{at("old/new"), "not a directory"},
	} {
		err := writable(c.path)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if data, err := os.ReadFile(at("old")); err != nil || string(data) != "kept" {
		t.Errorf("the old file: %q, %v", data, err)
	}
	if _, err := os.Lstat(at("new")); err == nil {
		t.Error("the new file was left there")
	}
}
