//go:build !grpconly

package main

// Creating and dropping a collection to verify a promotion takes the Milvus
// client, and its initialisation. Without it, what is left is gRPC alone.
import _ "github.com/milvus-io/milvus/client/v2/milvusclient"
