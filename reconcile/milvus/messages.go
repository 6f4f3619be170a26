package milvus

import (
	"strconv"

	"github.com/milvus-io/milvus-proto/go-api/v2/commonpb"
)

// Properties of a dumped message and how they are written
// (pkg/streaming/util/message/properties.go, encoder.go).
const (
	propertyType         = "_t"
	propertyTick         = "_tt"
	propertyTxn          = "_tx"
	propertyVChannel     = "_vc"
	propertyUnreplicable = "_ur"
	// propertyConfirmed is the last-confirmed id of a message: a read behind it gets the
	// message and all younger ones.
	propertyConfirmed = "_lc"
	tickBase          = 36
)

// The types of messages.proto that something here depends on.
const (
	typeTimeTick             = 1
	typeInsert               = 2
	typeDelete               = 3
	typeFlush                = 4
	typeCreateCollection     = 5
	typeDropCollection       = 6
	typeCreateSegment        = 10
	typeImport               = 11
	typeRestoreRBAC          = 21
	typeAlterUser            = 22
	typeAlterResourceGroup   = 32
	typeDropResourceGroup    = 33
	typeRestoreSnapshot      = 39
	typeBatchUpdateManifest  = 42
	typeRefreshExternal      = 43
	typeCommitImport         = 45
	typeAlterWAL             = 700
	typeAlterReplicateConfig = 800
	typeBeginTxn             = 900
	typeCommitTxn            = 901
	typeRollbackTxn          = 902
	typeTxn                  = 999
)

// messageKinds are the words for the types of messages.proto that DumpMessages
// emits.
var messageKinds = map[int]string{
	typeInsert: "insert", typeDelete: "delete", typeCreateCollection: "create_collection", typeDropCollection: "drop_collection",
	7: "create_partition", 8: "drop_partition",
	9: "manual_flush", typeImport: "import", 13: "alter_collection", 14: "alter_load_config", 15: "drop_load_config",
	16: "create_database", 17: "alter_database", 18: "drop_database", 19: "alter_alias", 20: "drop_alias",
	typeRestoreRBAC: "restore_rbac", typeAlterUser: "alter_user", 23: "drop_user", 24: "alter_role", 25: "drop_role", 26: "alter_user_role", 27: "drop_user_role",
	28: "alter_privilege", 29: "drop_privilege", 30: "alter_privilege_group", 31: "drop_privilege_group",
	typeAlterResourceGroup: "alter_resource_group", typeDropResourceGroup: "drop_resource_group",
	34: "create_index", 35: "alter_index", 36: "drop_index", 37: "flush_all", 38: "truncate_collection",
	typeRestoreSnapshot: "restore_snapshot", 40: "create_snapshot", 41: "drop_snapshot", typeBatchUpdateManifest: "batch_update_manifest",
	typeRefreshExternal: "refresh_external_collection", 44: "drop_snapshots_by_collection", typeCommitImport: "commit_import", 46: "rollback_import",
	typeTxn: "transaction",
}

// bringsHiddenRows says whether messages of a type may bring rows that are not in them:
// those of object storage, of a transaction that comes as one message, and of a type that
// is not known here.
func bringsHiddenRows(number int) bool {
	switch number {
	case typeTxn, typeImport, typeRestoreSnapshot, typeBatchUpdateManifest, typeRefreshExternal, typeCommitImport:
		return true
	default:
		return messageKinds[number] == ""
	}
}

// messageType is the number of a message's type; 0: it has none that can be read.
func messageType(m *commonpb.ImmutableMessage) int {
	number, err := strconv.Atoi(m.GetProperties()[propertyType])
	if err != nil {
		return 0
	}
	return number
}

// messageTick is when a message was written, by the ticks of its cluster.
func messageTick(m *commonpb.ImmutableMessage) (uint64, error) {
	return strconv.ParseUint(m.GetProperties()[propertyTick], tickBase, 64)
}

// local says whether Milvus keeps a message to the cluster that wrote it, so
// that no standby ever gets it, whatever its checkpoint is: it says nothing about
// replication, and nothing is lost with it. These are
//   - what the log writes itself, IsSelfControlled in message_type.go: TimeTick,
//     CreateSegment, Flush; and RollbackTxn (DumpMessages leaves all four out);
//   - what a standby drops by the default of streaming.replication.skipMessageTypes
//     (component_param.go, both lines): AlterResourceGroup, DropResourceGroup;
//   - what its writer marked as unreplicable, the property _ur (master): snapshots,
//     manifests, external collections. The mark is of the message, not of its type.
func local(m *commonpb.ImmutableMessage) bool {
	switch messageType(m) {
	case typeTimeTick, typeCreateSegment, typeFlush, typeRollbackTxn, typeAlterResourceGroup, typeDropResourceGroup:
		return true
	default:
		_, unreplicable := m.GetProperties()[propertyUnreplicable]
		return unreplicable
	}
}

// secret says whether the content of a message may hold a password, a token or
// their hashes: users, a restored set of rights, the settings of a message queue,
// and the topology, whose configuration has every token in clear.
func secret(number int) bool {
	switch number {
	case typeRestoreRBAC, typeAlterUser, typeAlterWAL, typeAlterReplicateConfig:
		return true
	default:
		return false
	}
}

// housekeeping says whether a message is about the log or the topology, and
// holds nothing that a user wrote.
func housekeeping(m *commonpb.ImmutableMessage) bool {
	switch messageType(m) {
	case typeAlterReplicateConfig, typeAlterWAL, typeBeginTxn, typeCommitTxn:
		return true
	default:
		return false
	}
}

// losable says whether a message is lost when it is not replicated.
func losable(m *commonpb.ImmutableMessage) bool { return !local(m) && !housekeeping(m) }
