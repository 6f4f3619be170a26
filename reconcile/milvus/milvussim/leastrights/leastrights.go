// Package leastrights makes the user of reconcile on a cluster by the calls of
// docs/setup.md, so that tests run with exactly the rights of that user.
package leastrights

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
	"github.com/milvus-io/milvus-proto/go-api/v2/milvuspb"
)

// The place of the calls in the document.
const (
	begin = "<!-- least:begin -->"
	end   = "<!-- least:end -->"
)

var argument = regexp.MustCompile(`(\w+)="([^"]*)"`)

// Grant makes the user on the cluster at an address, with the token of an
// administrator, by the calls of pymilvus that a document holds. It returns the
// user's token.
func Grant(ctx context.Context, address, administrator, document string) (token string, err error) {
	_, block, opened := strings.Cut(document, begin)
	block, _, closed := strings.Cut(block, end)
	if !opened || !closed {
		return "", errors.New("the document holds no calls")
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return "", fmt.Errorf("connect to %s: %w", address, err)
	}
	defer conn.Close() //nolint:errcheck // nothing is in flight
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", base64.StdEncoding.EncodeToString([]byte(administrator)))
	api := milvuspb.NewMilvusServiceClient(conn)
	for line := range strings.Lines(block) {
		call, _, _ := strings.Cut(strings.TrimPrefix(line, "client."), "(")
		args := map[string]string{}
		for _, m := range argument.FindAllStringSubmatch(line, -1) {
			args[m[1]] = m[2]
		}
		st, err := carryOut(ctx, api, call, args)
		if err == nil && st.GetCode() != 0 {
			err = errors.New(st.GetReason())
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", strings.TrimSpace(line), err)
		}
		if call == "create_user" {
			token = args["user_name"] + ":" + args["password"]
		}
	}
	if token == "" {
		return "", errors.New("the calls make no user")
	}
	return token, nil
}

// carryOut makes one call; a line that is none does nothing.
func carryOut(ctx context.Context, api milvuspb.MilvusServiceClient, call string, args map[string]string) (*commonpb.Status, error) {
	switch call {
	case "create_role":
		return api.CreateRole(ctx, &milvuspb.CreateRoleRequest{Entity: &milvuspb.RoleEntity{Name: args["role_name"]}})
	case "grant_privilege_v2":
		return api.OperatePrivilegeV2(ctx, &milvuspb.OperatePrivilegeV2Request{
			Role: &milvuspb.RoleEntity{Name: args["role_name"]}, DbName: args["db_name"], CollectionName: args["collection_name"],
			Grantor: &milvuspb.GrantorEntity{Privilege: &milvuspb.PrivilegeEntity{Name: args["privilege"]}},
		})
	case "create_user":
		return api.CreateCredential(ctx, &milvuspb.CreateCredentialRequest{
			Username: args["user_name"], Password: base64.StdEncoding.EncodeToString([]byte(args["password"])),
		})
	case "grant_role":
		return api.OperateUserRole(ctx, &milvuspb.OperateUserRoleRequest{Username: args["user_name"], RoleName: args["role_name"]})
	default:
		return nil, nil //nolint:nilnil // a status of nil is a success
	}
}
