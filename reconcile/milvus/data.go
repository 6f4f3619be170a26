package milvus

import (
	"context"

	grpc_retry "github.com/grpc-ecosystem/go-grpc-middleware/retry"
	"google.golang.org/grpc"

	"github.com/milvus-io/milvus/client/v2/milvusclient"
)

// data is one short-lived connection of the Milvus client.
type data struct {
	fleet  *Fleet
	client *milvusclient.Client
}

// dialData opens the Milvus client, for one database. It connects with the
// first call: told to connect at once, it would hide why it cannot, and leak.
func (f *Fleet) dialData(ctx context.Context, t ticket, database string) (*data, error) {
	options := append(f.dialOptions(t, &trace{}), grpc.WithDefaultCallOptions(
		grpc_retry.Disable(), // it would resend by itself, 6 times over 22 s
	))
	client, err := milvusclient.New(ctx, &milvusclient.ClientConfig{
		Address: t.address, DBName: database, DialOptions: options, DisableConn: true,
	})
	if err != nil {
		return nil, f.secrets.err(err)
	}
	return &data{fleet: f, client: client}, nil
}

func (d *data) close(ctx context.Context) {
	_ = d.client.Close(context.WithoutCancel(ctx)) // nothing is in flight any more
}

// shortly bounds one read.
func (d *data) shortly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d.fleet.readTimeout)
}
