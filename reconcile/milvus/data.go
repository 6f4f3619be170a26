package milvus

import (
	"context"
	"fmt"
	"slices"
	"strings"

	grpc_retry "github.com/grpc-ecosystem/go-grpc-middleware/retry"
	"google.golang.org/grpc"

	"github.com/milvus-io/milvus/client/v2/milvusclient"

	"milvus-reconcile/plan"
)

// data is one short-lived connection of the Milvus client.
type data struct {
	fleet  *Fleet
	client *milvusclient.Client
	user   string
	anyone bool // a server without authentication
}

// dialData opens the Milvus client, for one database. It connects with the
// first call: told to connect at once, it would hide why it cannot, and leak.
func (f *Fleet) dialData(ctx context.Context, t ticket, database string) (*data, error) {
	options := append(f.dialOptions(t, &trace{}), grpc.WithDefaultCallOptions(
		grpc.MaxCallRecvMsgSize(maxAnswer), grpc_retry.Disable(), // it would resend by itself, 6 times over 22 s
	))
	client, err := milvusclient.New(ctx, &milvusclient.ClientConfig{
		Address: t.address, DBName: database, DialOptions: options, DisableConn: true,
	})
	if err != nil {
		return nil, f.secrets.err(err)
	}
	user, _, named := strings.Cut(t.token, ":")
	if !named {
		user = "" // an API key does not say whose it is
	}
	return &data{fleet: f, client: client, user: user, anyone: t.token == ""}, nil
}

func (d *data) close(ctx context.Context) {
	_ = d.client.Close(context.WithoutCancel(ctx)) // nothing is in flight any more
}

// shortly bounds one read.
func (d *data) shortly(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d.fleet.readTimeout)
}

// contents lists what a cluster holds, as database/collection. Known is only
// said of a token that sees everything: Milvus leaves out what a user has no
// right to, and a cluster must not pass for empty because of that.
func (f *Fleet) contents(ctx context.Context, t ticket) plan.Contents {
	d, err := f.dialData(ctx, t, "")
	if err != nil {
		return plan.Contents{}
	}
	defer d.close(ctx)
	if !d.seesEverything(ctx) {
		return plan.Contents{}
	}
	names, err := d.collections(ctx, t)
	if err != nil {
		return plan.Contents{}
	}
	return plan.Contents{Known: true, Collections: names}
}

// Names that Milvus gives at its birth.
const (
	rootUser        = "root"
	adminRole       = "admin"
	defaultDatabase = "default"
)

// seesEverything: a server without authentication shows all to everybody, and
// else the roles of the user must say that it is an administrator. Where they
// cannot be read, only root is.
func (d *data) seesEverything(ctx context.Context) bool {
	if d.anyone {
		return true
	}
	if d.user == "" {
		return false
	}
	ctx, cancel := d.shortly(ctx)
	defer cancel()
	user, err := d.client.DescribeUser(ctx, milvusclient.NewDescribeUserOption(d.user))
	if err != nil {
		return d.user == rootUser
	}
	return slices.Contains(user.Roles, adminRole)
}

func (d *data) collections(ctx context.Context, t ticket) ([]string, error) {
	databases, err := d.databases(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, database := range databases {
		names, err := d.fleet.collectionsOf(ctx, t, database)
		if err != nil {
			return nil, err
		}
		out = append(out, names...)
	}
	slices.Sort(out)
	return out, nil
}

func (d *data) databases(ctx context.Context) ([]string, error) {
	ctx, cancel := d.shortly(ctx)
	defer cancel()
	databases, err := d.client.ListDatabase(ctx, milvusclient.NewListDatabaseOption())
	if err != nil {
		return nil, d.fleet.secrets.err(err)
	}
	if !slices.Contains(databases, defaultDatabase) {
		return nil, fmt.Errorf("the database %q is not listed: the user does not see everything", defaultDatabase)
	}
	return databases, nil
}

// collectionsOf lists one database, without throwaway collections: they are
// ours, and a crash may have left one.
func (f *Fleet) collectionsOf(ctx context.Context, t ticket, database string) ([]string, error) {
	d, err := f.dialData(ctx, t, database)
	if err != nil {
		return nil, err
	}
	defer d.close(ctx)
	ctx, cancel := d.shortly(ctx)
	defer cancel()
	names, err := d.client.ListCollections(ctx, milvusclient.NewListCollectionOption())
	if err != nil {
		return nil, f.secrets.err(err)
	}
	var out []string
	for _, name := range names {
		if !isThrowaway(name) {
			out = append(out, database+"/"+name)
		}
	}
	return out, nil
}
