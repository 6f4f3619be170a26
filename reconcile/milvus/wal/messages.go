// Package wal knows what the messages in the write-ahead log of a Milvus cluster mean: which
// are lost if they are not replicated, which may hold a password, and what a change of the
// topology says.
package wal

import (
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Properties of a dumped message and how they are written
// (pkg/streaming/util/message/properties.go, encoder.go).
const (
	PropertyType         = "_t"
	propertyTick         = "_tt"
	PropertyTxn          = "_tx"
	PropertyVChannel     = "_vc"
	PropertyUnreplicable = "_ur"
	// PropertyConfirmed is the last-confirmed id of a message: a read behind it gets the
	// message and all younger ones.
	PropertyConfirmed = "_lc"
	tickBase          = 36
)

// The types of messages.proto that something here depends on.
const (
	TypeTimeTick             = 1
	TypeInsert               = 2
	TypeDelete               = 3
	TypeFlush                = 4
	TypeCreateCollection     = 5
	TypeDropCollection       = 6
	TypeDropPartition        = 8
	TypeCreateSegment        = 10
	TypeImport               = 11
	TypeRestoreRBAC          = 21
	TypeAlterUser            = 22
	TypeAlterResourceGroup   = 32
	TypeDropResourceGroup    = 33
	TypeTruncate             = 38
	TypeRestoreSnapshot      = 39
	TypeBatchUpdateManifest  = 42
	TypeRefreshExternal      = 43
	TypeCommitImport         = 45
	TypeAlterWAL             = 700
	TypeAlterReplicateConfig = 800
	TypeBeginTxn             = 900
	TypeCommitTxn            = 901
	TypeRollbackTxn          = 902
	TypeTxn                  = 999
)

// Kinds are the words for the types of messages.proto that DumpMessages
// emits.
var Kinds = map[int]string{
	TypeInsert: "insert", TypeDelete: "delete", TypeCreateCollection: "create_collection", TypeDropCollection: "drop_collection",
	7: "create_partition", TypeDropPartition: "drop_partition",
	9: "manual_flush", TypeImport: "import", 13: "alter_collection", 14: "alter_load_config", 15: "drop_load_config",
	16: "create_database", 17: "alter_database", 18: "drop_database", 19: "alter_alias", 20: "drop_alias",
	TypeRestoreRBAC: "restore_rbac", TypeAlterUser: "alter_user", 23: "drop_user", 24: "alter_role", 25: "drop_role", 26: "alter_user_role", 27: "drop_user_role",
	28: "alter_privilege", 29: "drop_privilege", 30: "alter_privilege_group", 31: "drop_privilege_group",
	TypeAlterResourceGroup: "alter_resource_group", TypeDropResourceGroup: "drop_resource_group",
	34: "create_index", 35: "alter_index", 36: "drop_index", 37: "flush_all", TypeTruncate: "truncate_collection",
	TypeRestoreSnapshot: "restore_snapshot", 40: "create_snapshot", 41: "drop_snapshot", TypeBatchUpdateManifest: "batch_update_manifest",
	TypeRefreshExternal: "refresh_external_collection", 44: "drop_snapshots_by_collection", TypeCommitImport: "commit_import", 46: "rollback_import",
	TypeTxn: "transaction",
}

// BringsHiddenRows says whether messages of a type may bring rows that are not in them:
// those of object storage, of a transaction that comes as one message, and of a type that
// is not known here.
func BringsHiddenRows(number int) bool {
	switch number {
	case TypeTxn, TypeImport, TypeRestoreSnapshot, TypeBatchUpdateManifest, TypeRefreshExternal, TypeCommitImport:
		return true
	default:
		return Kinds[number] == ""
	}
}

// Type is the number of a message's type; 0: it has none that can be read.
func Type(m *commonpb.ImmutableMessage) int {
	number, err := strconv.Atoi(m.GetProperties()[PropertyType])
	if err != nil {
		return 0
	}
	return number
}

// Tick is when a message was written, by the ticks of its cluster.
func Tick(m *commonpb.ImmutableMessage) (uint64, error) {
	return strconv.ParseUint(m.GetProperties()[propertyTick], tickBase, 64)
}

// Local says whether Milvus keeps a message to the cluster that wrote it, so
// that no standby ever gets it, whatever its checkpoint is: it says nothing about
// replication, and nothing is lost with it. These are
//   - what the log writes itself, IsSelfControlled in message_type.go: TimeTick,
//     CreateSegment, Flush; and RollbackTxn (DumpMessages leaves all four out);
//   - what a standby drops by the default of streaming.replication.skipMessageTypes
//     (component_param.go, both lines): AlterResourceGroup, DropResourceGroup;
//   - what its writer marked as unreplicable, the property _ur (master): snapshots,
//     manifests, external collections. The mark is of the message, not of its type.
func Local(m *commonpb.ImmutableMessage) bool {
	switch Type(m) {
	case TypeTimeTick, TypeCreateSegment, TypeFlush, TypeRollbackTxn, TypeAlterResourceGroup, TypeDropResourceGroup:
		return true
	default:
		_, unreplicable := m.GetProperties()[PropertyUnreplicable]
		return unreplicable
	}
}

// Secret says whether the content of a message may hold a password, a token or
// their hashes: users, a restored set of rights, the settings of a message queue,
// and the topology, whose configuration has every token in clear.
func Secret(number int) bool {
	switch number {
	case TypeRestoreRBAC, TypeAlterUser, TypeAlterWAL, TypeAlterReplicateConfig:
		return true
	default:
		return false
	}
}

// Housekeeping says whether a message is about the log or the topology, and
// holds nothing that a user wrote.
func Housekeeping(m *commonpb.ImmutableMessage) bool {
	switch Type(m) {
	case TypeAlterReplicateConfig, TypeAlterWAL, TypeBeginTxn, TypeCommitTxn:
		return true
	default:
		return false
	}
}

// Losable says whether a message is lost when it is not replicated.
func Losable(m *commonpb.ImmutableMessage) bool { return !Local(m) && !Housekeeping(m) }
