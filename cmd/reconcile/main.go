// Command reconcile makes the replication topology of Milvus clusters match Git, by plans
// that people review and approve. See the README.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"milvus-reconcile/cmd/reconcile/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
