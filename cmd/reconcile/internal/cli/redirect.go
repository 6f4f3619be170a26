package cli

import (
	"os/exec"
	"strings"

	"milvus-reconcile/schema"
)

// redirectFiles are the files that a redirect target rests on: programs and
// what they are given, templates, secrets.
func redirectFiles(r schema.RedirectTarget) []string {
	var out []string
	if x := r.Exec; x != nil {
		out = append(append(out, programFiles(x.Command)...), programFiles(x.Check)...)
	}
	if r.Webhook != nil {
		out = append(out, r.Webhook.Secret.File)
	}
	if r.File != nil {
		out = append(out, r.File.Template)
	}
	return out
}

// programFiles are the program as it will be found, and arguments that look
// like paths, since an interpreter runs what it is given.
func programFiles(argv []string) []string {
	var out []string
	for i, arg := range argv {
		if i == 0 {
			if found, err := exec.LookPath(arg); err == nil {
				arg = found
			}
		}
		if strings.Contains(arg, "/") && !strings.Contains(arg, "://") {
			out = append(out, arg)
		}
	}
	return out
}
