// Command kube-apiserver is the API server of Kubernetes, as it is released, for tests.
// `make kube-apiserver` builds it. It ends with its standard input, so that it never
// outlives the test that started it.
package main

import (
	"io"
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	os.Exit(cli.Run(app.NewAPIServerCommand()))
}
