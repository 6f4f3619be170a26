package schema

import (
	"io/fs"
	"net/netip"
	"time"

	"milvus-reconcile/plan"
	"milvus-reconcile/plan/siteplan"
	"milvus-reconcile/reconcile/approval"
	"milvus-reconcile/reconcile/freeze"
)

// SecretRef says where a secret is; it never holds one. At most one field is
// set; the zero value refers to nothing.
type SecretRef struct {
	Env  string // an environment variable
	File string // a path, as written
}

// IsZero reports whether the reference refers to nothing.
func (r SecretRef) IsZero() bool { return r == SecretRef{} }

// String names the place, not the secret.
func (r SecretRef) String() string {
	switch {
	case r.Env != "":
		return "environment variable " + r.Env
	case r.File != "":
		return "file " + r.File
	}
	return "nothing"
}

// Config is the operator's configuration (contract.md §3) with every
// default filled in. Paths stand as they were written.
type Config struct {
	Mode          Mode
	Git           Git
	SweepInterval time.Duration
	Suspend       []string     // topologies that are observed and never applied
	Shards        []plan.Shard // which daemon acts on which topologies; none: one acts on all
	Freeze        freeze.Entries
	Waves         siteplan.Waves // in which order the topologies of a site move
	Credentials   []Credential
	Approval      Approval
	Limits        plan.Failover // floors; zero fields set none
	Fence         Fence
	Load          Loading
	ProbeEvery    time.Duration // of the probe client of rehearsals; 0: there is none
	Ledger        Ledger
	Clusters      []ClusterCare
	Redirect      []RedirectTarget
	Notify        []NotifyTarget
	Serve         Serve
	Audit         Audit
	// KubernetesStatus is where run shows the topologies as objects; nil: nowhere.
	KubernetesStatus *KubernetesStatus
}

// KubernetesStatus is a namespace in which run writes a ReplicationTopologyStatus for each
// topology.
type KubernetesStatus struct {
	Access    KubernetesAccess
	Namespace string
}

// Audit is when run compares the standbys with their primary.
type Audit struct {
	Every  time.Duration // 0: never
	Budget time.Duration // for counts and rows of one standby
	Rows   int           // of each collection that are compared bit by bit
}

// Mode reports whether the daemon may change anything. The zero value is not
// said, and allows nothing.
type Mode string

// The modes of run.
const (
	ModeUnsaid  Mode = ""
	ModeObserve Mode = "observe"
	ModeApply   Mode = "apply"
)

// Git is the topology repository.
type Git struct {
	URL          string // empty: not said
	Ref          string
	Path         string // folder inside the repository
	PollInterval time.Duration
	Auth         GitAuth
	CacheDir     string // empty: the caller's default
}

// GitAuth is how to log in to the Git server.
type GitAuth struct {
	SSHKeyFile       string
	SSHKeyPassphrase SecretRef
	SSHAgent         bool
	KnownHostsFile   string
	Username         SecretRef
	Password         SecretRef
	CAFile           string
}

// TLS are the files and the name of one TLS connection. A nil *TLS means that
// none was written.
type TLS struct {
	CAFile     string
	CertFile   string
	KeyFile    string
	ServerName string
}

// Credential binds a token to one cluster, address and uri.
type Credential struct {
	ClusterID string
	Address   string // host:port
	URI       string // empty: Address with http:// or https://
	// Token refers to nothing for a server without authentication.
	Token            SecretRef
	ReplicationToken SecretRef // Token unless written
	TLS              *TLS
	At               plan.Position
}

// Approval is what makes an approval valid.
type Approval struct {
	SignatureRequired bool
	AllowedSigners    string // path; DefaultAllowedSigners unless written
	Keyring           string // path; empty: none
	DistinctAuthor    bool
	Repository        string          // that approvals must name; empty: any
	Quorum            approval.Quorum // of distinct people
	MaxAge            approval.MaxAge
}

// DefaultAllowedSigners is where approvers' keys are unless the configuration
// says otherwise. When it was not written and no such file exists, nobody is
// allowed to sign.
const DefaultAllowedSigners = "/etc/reconcile/allowed_signers"

// Fence reports whether a returning stale primary is demoted without being
// asked. The zero value is manual.
type Fence string

// The ways to fence.
const (
	FenceManual Fence = "manual"
	FenceAuto   Fence = "auto"
)

// Loading reports whether a new primary loads and indexes what the old one had loaded and
// indexed. The zero value is manual.
type Loading string

// The ways to load.
const (
	LoadManual Loading = "manual"
	LoadAuto   Loading = "auto"
)

// Ledger says where the ledger is. All fields empty: there is none.
type Ledger struct {
	Path       string
	Etcd       *LedgerEtcd
	Kubernetes *LedgerKubernetes
}

// IsZero reports whether no ledger was configured.
func (l Ledger) IsZero() bool { return l.Path == "" && l.Etcd == nil && l.Kubernetes == nil }

// LedgerEtcd is a ledger in etcd.
type LedgerEtcd struct {
	Endpoints []string
	Prefix    string
	TLS       *TLS
	Username  SecretRef
	Password  SecretRef
	TTL       time.Duration
}

// LedgerKubernetes is a ledger in objects of Kubernetes.
type LedgerKubernetes struct {
	Access    KubernetesAccess
	Namespace string
	Name      string // of its ConfigMap
	TTL       time.Duration
}

// ClusterCare is what the operator lets be done to a cluster apart from Milvus' own
// calls.
type ClusterCare struct {
	ID         string
	Restart    *Restart         // nil: its coordinator is not restarted
	Rebuild    *Rebuild         // nil: a person wipes and fills it
	Kubernetes *KubernetesPlace // nil: not said
	At         plan.Position
}

// KubernetesPlace says where in Kubernetes a cluster runs. Only doctor asks there.
type KubernetesPlace struct {
	Namespace  string
	Instance   string // the name of the custom resource, or of the chart's release
	Kubeconfig string // empty: the service account of this pod
	Context    string // of the kubeconfig
}

// Restart restarts the coordinator process of a cluster.
type Restart struct {
	Command []string // program and arguments
	Timeout time.Duration
}

// Rebuild wipes and fills a cluster that an approved rebuild names.
type Rebuild struct {
	Command []string // program and arguments
	Timeout time.Duration
}

// RedirectTarget moves traffic to the primary. Exactly one of Exec, Webhook,
// File, HAProxy, DNS and Kubernetes is set.
type RedirectTarget struct {
	Name       string
	Topologies []string // empty: all
	Timeout    time.Duration
	Exec       *RedirectExec
	Webhook    *RedirectWebhook
	File       *RedirectFile
	HAProxy    *RedirectHAProxy
	DNS        *RedirectDNS
	Kubernetes *RedirectKubernetes
	OldPrimary *OldPrimary
	At         plan.Position
}

// RedirectExec starts a program.
type RedirectExec struct {
	Command []string // program and arguments
	Check   []string // empty: cannot be checked
}

// RedirectWebhook calls a URL.
type RedirectWebhook struct {
	URL      string
	Secret   SecretRef
	CheckURL string // empty: cannot be checked
}

// RedirectFile writes a file from a template.
type RedirectFile struct {
	Template string
	Path     string
	Mode     fs.FileMode
}

// RedirectHAProxy speaks to an HAProxy runtime socket.
type RedirectHAProxy struct {
	Address string // unix:PATH or host:port
	Backend string
	Servers map[string]string // by cluster id
}

// RedirectDNS updates a record of a DNS zone.
type RedirectDNS struct {
	Server    string // host:port of the server that takes updates
	Zone      string
	Record    string // its whole name
	Type      string // A, AAAA, CNAME or SRV
	TTL       time.Duration
	Values    map[string][]string // by cluster id; empty: from the addresses of the credentials
	Key       string              // name of the TSIG key
	Algorithm string              // hmac-sha256 or hmac-sha512
	Secret    SecretRef           // in base64
	Servers   []string            // host:port of those that are checked; empty: the name servers of the zone
}

// KubernetesAccess says which API server is called, and as who. The zero value is the
// service account of this pod.
type KubernetesAccess struct {
	Kubeconfig string // path
	Context    string // of the kubeconfig
}

// OldPrimary is for how long clients may still reach the old primary after a target was set.
type OldPrimary struct {
	New  time.Duration // connections that are opened after that
	Open time.Duration // connections that were open then; 0: until they break
}

// RedirectKubernetes points a Service at a cluster. Exactly one of Selectors, Endpoints
// and ExternalNames is set; each has an entry by cluster id.
type RedirectKubernetes struct {
	Access             KubernetesAccess
	Namespace, Service string
	Port               string // name of the Service's port; empty: it has only one
	Selectors          map[string]map[string]string
	Endpoints          map[string][]netip.AddrPort
	ExternalNames      map[string]string
}

// NotifyFormat is the body of a notification.
type NotifyFormat string

// The formats of notifications.
const (
	NotifyCloudEvents NotifyFormat = "cloudevents"
	NotifySlack       NotifyFormat = "slack"
	NotifyTeams       NotifyFormat = "teams"
	NotifyPagerDuty   NotifyFormat = "pagerduty"
	NotifyEmail       NotifyFormat = "email"  // the URL is smtp:// or smtps://
	NotifyGitHub      NotifyFormat = "github" // commit statuses; the URL holds {commit}
	NotifyGitLab      NotifyFormat = "gitlab"
	NotifyGitea       NotifyFormat = "gitea"
)

// Forge reports whether the format is a forge's commit status.
func (f NotifyFormat) Forge() bool {
	return f == NotifyGitHub || f == NotifyGitLab || f == NotifyGitea
}

// NotifyTarget is who is told.
type NotifyTarget struct {
	Name        string
	URL         string
	Secret      SecretRef
	Format      NotifyFormat
	MinSeverity plan.Severity
	Email       *NotifyMail // of NotifyEmail; else nil
}

// NotifyMail is what a mail needs apart from its server and the password.
type NotifyMail struct {
	From     string
	To       []string
	Username SecretRef
	TLS      *TLS
}

// Serve is the HTTP server of the daemon.
type Serve struct {
	Address       string   // host:port
	PublicURL     string   // where people reach it; empty: not said
	Hosts         []string // names under which clients may ask for it
	WebhookSecret SecretRef
	TLS           *TLS
}
