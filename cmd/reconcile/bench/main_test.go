package bench

import (
	"testing"

	"milvus-reconcile/cmd/reconcile/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m, nil) }
