package redirect_test

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"milvus-reconcile/plan"
	"milvus-reconcile/reconcile/redirect"
	"milvus-reconcile/reconcile/redirect/nameserver"
)

// inZone are addresses of clusters that have a name in the zone of the tests.
var inZone = map[string]string{"cluster-a": "a.example:19530", "cluster-b": "b.example:19530", "of-another": "192.0.2.7:19530"}

// alias is a target that moves milvus.example, which is a CNAME.
func alias(s *zoneServer) redirect.DNS {
	return redirect.DNS{
		Server: s.Address, Zone: "example", Name: "Milvus.Example", Type: nameserver.CNAME, TTL: 30 * time.Second,
		KeyName: "reconcile", Algorithm: "hmac-sha256", Secret: secretIs(s.Secret), Servers: []string{s.Address},
	}
}

func secretIs(secret string) func() (string, error) {
	return func() (string, error) { return secret, nil }
}

// named prepares one dns target; dial may be nil.
func named(t *testing.T, d redirect.DNS, dial func(context.Context, string, string) (net.Conn, error)) *redirect.Redirector {
	t.Helper()
	r, err := redirect.New([]redirect.Target{{Name: "dns", Topologies: []string{"orders"}, Timeout: 10 * time.Second, DNS: &d}},
		redirect.Options{Addresses: inZone, Poster: newClock().poster(), Dial: dial})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// says demands one state that is OK if say is empty, and else has it in its detail.
func says(t *testing.T, what string, states []plan.TrafficState, say string) {
	t.Helper()
	if s := only(t, states); s.OK != (say == "") || !strings.Contains(s.Detail, say) {
		t.Errorf("%s: got %+v, want %q", what, s, say)
	}
}

// serial returns the serial of the zone, which every change raises.
func serial(t *testing.T, s *zoneServer) uint32 {
	t.Helper()
	client := dns.Client{Net: "tcp"}
	r, _, err := client.ExchangeContext(t.Context(), new(dns.Msg).SetQuestion("example.", dns.TypeSOA), s.Address)
	if err != nil || len(r.Answer) != 1 {
		t.Fatalf("%v, %v", r, err)
	}
	return r.Answer[0].(*dns.SOA).Serial
}

// TestDNS is what holds with each kind of server.
func TestDNS(t *testing.T) {
	for _, kind := range serverKinds {
		t.Run(kind.name, func(t *testing.T) {
			s := newZoneServer(t, kind, "")
			t.Run("a wrong key changes nothing", func(t *testing.T) { wrongKeysChangeNothing(t, s) })
			t.Run("a long TTL is named", func(t *testing.T) { longTTLsAreNamed(t, s) })
			t.Run("a rehearsal changes nothing", func(t *testing.T) { rehearsalChangesNothing(t, s) })
			t.Run("a change of another is not overwritten", func(t *testing.T) { changesOfOthersStay(t, s) })
			t.Run("every type of record moves", func(t *testing.T) { recordsMove(t, s) })
			t.Run("it answers as the documentation says", func(t *testing.T) { answersAsDocumented(t, s) })
			t.Run("what stands in the way is named", func(t *testing.T) { conflictsAreNamed(t, s) })
		})
	}
}

func wrongKeysChangeNothing(t *testing.T, s *zoneServer) {
	before := serial(t, s)
	for _, c := range []struct {
		name string
		key  func(*redirect.DNS)
		say  map[string]string // by kind of server
	}{
		{"another secret", func(d *redirect.DNS) { d.Secret = secretIs(s.Reader) }, map[string]string{"BIND": "BADSIG", "Knot": "BADSIG", "PowerDNS": "it refuses to change"}},
		{"an unknown name", func(d *redirect.DNS) { d.KeyName = "stranger" }, map[string]string{"BIND": "BADKEY", "Knot": "BADKEY", "PowerDNS": "it refuses to change"}},
		{"another algorithm", func(d *redirect.DNS) { d.Algorithm = "hmac-sha512" }, map[string]string{"BIND": "BADKEY", "Knot": "BADKEY", "PowerDNS": "it refuses to change"}},
		{"a key without the right", func(d *redirect.DNS) { d.KeyName, d.Secret = "reader", secretIs(s.Reader) }, map[string]string{"BIND": "it refuses to change", "Knot": "BADKEY", "PowerDNS": "it refuses to change"}},
		{"no base64", func(d *redirect.DNS) { d.Secret = secretIs("CANARY 1") }, map[string]string{"BIND": "is not base64", "Knot": "is not base64", "PowerDNS": "is not base64"}},
	} {
		d := alias(s)
		c.key(&d)
		r := named(t, d, nil)
		says(t, c.name, r.Rehearse(t.Context(), "orders", "cluster-b", nil), c.say[s.kind.name])
		state := only(t, r.Set(t.Context(), "orders", "cluster-b", nil))
		if state.OK || !strings.Contains(state.Detail, c.say[s.kind.name]) {
			t.Errorf("%s: got %+v", c.name, state)
		}
		for _, secret := range []string{s.Secret, s.Reader, "CANARY"} {
			if strings.Contains(state.Detail, secret) {
				t.Errorf("%s: the secret shows: %s", c.name, state.Detail)
			}
		}
	}
	if after := serial(t, s); after != before {
		t.Errorf("the zone changed: %d, then %d", before, after)
	}
}

// longTTLsAreNamed: the one that is too long, with the command that lowers it and sets nothing
// else; one that is not.
func longTTLsAreNamed(t *testing.T, s *zoneServer) {
	d := alias(s)
	d.SecretInShell = "$KEY"
	host, port, _ := strings.Cut(s.Address, ":")
	want := plan.Stay{
		Known: true, New: time.Hour, Why: "the TTL of milvus.example. at " + s.Address + ", and not 30 s as configured",
		Shorter: `lower it now, which works once the old one has passed: printf '%s\n' 'server ` + host + ` ` + port + `' "key hmac-sha256:reconcile. $KEY" 'zone example.' ` +
			`'prereq yxrrset milvus.example. CNAME a.example.' 'update add milvus.example. 30 CNAME a.example.' send | nsupdate -v`,
	}
	stay := func(d redirect.DNS) plan.Stay {
		return only(t, named(t, d, nil).Check(t.Context(), "orders", "cluster-a", nil)).Stay
	}
	if d := cmp.Diff(want, stay(d)); d != "" {
		t.Error(d)
	}
	d.TTL = time.Hour
	if d := cmp.Diff(plan.Stay{Known: true, New: time.Hour, Why: "the TTL of milvus.example."}, stay(d)); d != "" {
		t.Error(d)
	}
	d.Servers = append(d.Servers, "127.0.0.1:1")
	if got := stay(d); got != (plan.Stay{}) {
		t.Errorf("with a server that does not answer: %+v", got)
	}
}

func rehearsalChangesNothing(t *testing.T, s *zoneServer) {
	before := serial(t, s)
	for _, record := range []string{"milvus.example", "new.milvus.example"} {
		d := alias(s)
		d.Name = record
		says(t, record, named(t, d, nil).Rehearse(t.Context(), "orders", "cluster-b", []string{"cluster-a"}), "")
	}
	if got := s.holds(t, "new.milvus.example.", nameserver.CNAME); serial(t, s) != before || len(got.Values) > 0 {
		t.Errorf("the zone changed: %+v", got)
	}
}

// changesOfOthersStay: another changes the record after it was read. The update fails, and
// the next attempt finds a value that it does not know.
func changesOfOthersStay(t *testing.T, s *zoneServer) {
	record := nameserver.Record{Zone: "example.", Name: "milvus.example.", Type: nameserver.CNAME}
	key := nameserver.Key{Name: "reconcile.", Algorithm: "hmac-sha256", Secret: secretIs(s.Secret)}
	was, other := s.holds(t, record.Name, record.Type), nameserver.RRset{Values: []string{"repair.example."}, TTL: 60}
	dials := 0
	r := named(t, alias(s), func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 2 {
			if err := s.server().Replace(ctx, key, record, was, other); err != nil {
				t.Error(err)
			}
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	})
	says(t, "set", r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"}), "milvus.example. holds repair.example., which belongs to no cluster of the target: it is not overwritten")
	if d := cmp.Diff(other, s.holds(t, record.Name, record.Type)); d != "" {
		t.Error(d)
	}
	says(t, "rehearse", r.Rehearse(t.Context(), "orders", "cluster-b", nil), "it is not overwritten")
	says(t, "check", r.Check(t.Context(), "orders", "cluster-b", nil), s.Address+" answers repair.example., not b.example.")
	if err := s.server().Replace(t.Context(), key, record, was, other); err == nil || !strings.Contains(err.Error(), "changed since it was read") {
		t.Errorf("got %v", err)
	}
	if err := s.server().Replace(t.Context(), key, record, other, was); err != nil {
		t.Error(err)
	}
}

func recordsMove(t *testing.T, s *zoneServer) {
	for _, c := range []struct {
		name, kind string
		values     map[string][]string
		was, want  string
	}{
		{"milvus.example.", nameserver.CNAME, nil, "a.example. (cluster-a)", "b.example."},
		{"a.milvus.example.", nameserver.A, map[string][]string{"cluster-a": {"192.0.2.1"}, "cluster-b": {"192.0.2.3", "192.0.2.2"}}, "192.0.2.1 (cluster-a)", "192.0.2.2 and 192.0.2.3"},
		{"a.milvus.example.", nameserver.AAAA, map[string][]string{"cluster-a": {"2001:DB8:0::1"}, "cluster-b": {"2001:db8::2"}}, "2001:db8::1 (cluster-a)", "2001:db8::2"},
		{"_m._tcp.milvus.example.", nameserver.SRV, nil, "0 0 19530 a.example. (cluster-a)", "0 0 19530 b.example."},
		{"new.milvus.example.", nameserver.CNAME, nil, "nothing", "b.example."},
	} {
		d := alias(s)
		d.Name, d.Type, d.Values = c.name, c.kind, c.values
		r := named(t, d, nil)
		says(t, c.name, r.Check(t.Context(), "orders", "cluster-b", []string{"cluster-a"}), s.Address+" answers "+c.was+", not "+c.want)
		before := serial(t, s)
		moved := r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})
		says(t, c.name, moved, "")
		if stay := moved[0].Stay; stay.Known != (c.was != "nothing") || stay.Known && (stay.New < 5*time.Minute || stay.Why != "the TTL of "+c.name) {
			t.Errorf("%s: it says of what it replaced: %+v", c.name, stay)
		}
		want := nameserver.RRset{Values: strings.Split(c.want, " and "), TTL: 30}
		if d := cmp.Diff(want, s.holds(t, c.name, c.kind)); d != "" {
			t.Errorf("%s %s: %s", c.name, c.kind, d)
		}
		after := serial(t, s)
		unmoved := r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"})
		says(t, c.name, unmoved, "")
		if unmoved[0].Stay.Known {
			t.Errorf("%s: nothing was replaced: %+v", c.name, unmoved[0].Stay)
		}
		if again := serial(t, s); after == before || again != after {
			t.Errorf("%s %s: the serial was %d, then %d, and without a change %d", c.name, c.kind, before, after, again)
		}
		if c.kind != nameserver.CNAME { // which is replaced in another way
			continue
		}
		d.TTL = 20 * time.Second
		says(t, c.name+" with another TTL", named(t, d, nil).Set(t.Context(), "orders", "cluster-b", nil), "")
		if got := s.holds(t, c.name, c.kind).TTL; got != 20 {
			t.Errorf("%s: the TTL is %d", c.name, got)
		}
	}
}

func conflictsAreNamed(t *testing.T, s *zoneServer) {
	before := serial(t, s)
	for _, c := range []struct{ name, kind, say string }{
		{"taken.milvus.example", nameserver.CNAME, "has records of another type, next to which no CNAME can stand"},
		{"milvus.example", nameserver.SRV, "milvus.example. is an alias of b.example. there, and has no SRV of its own"},
		{"milvus.example", nameserver.A, "the address of cluster-b makes no A"},
	} {
		d := alias(s)
		d.Name, d.Type = c.name, c.kind
		r := named(t, d, nil)
		says(t, c.name, r.Rehearse(t.Context(), "orders", "cluster-b", nil), c.say)
		says(t, c.name, r.Set(t.Context(), "orders", "cluster-b", nil), c.say)
	}
	d := alias(s)
	d.Zone, d.Name = "other.example", "milvus.other.example"
	if got := only(t, named(t, d, nil).Rehearse(t.Context(), "orders", "cluster-b", nil)); got.OK {
		t.Errorf("a zone that it does not hold: %+v", got)
	}
	if after := serial(t, s); after != before {
		t.Errorf("the zone changed: %d, then %d", before, after)
	}
}

// TestDNSIsNotDoneBeforeEveryServerAnswers: a secondary that lags, and one that is down.
func TestDNSIsNotDoneBeforeEveryServerAnswers(t *testing.T) {
	primary := newZoneServer(t, bind, "")
	secondary := newZoneServer(t, knotSecondary, primary.Address)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // it never answered
	d := alias(primary)
	d.Servers = append(d.Servers, secondary.Address)
	r := named(t, d, nil)
	says(t, "it lags", r.Set(t.Context(), "orders", "cluster-b", []string{"cluster-a"}), secondary.Address+" answers a.example. (cluster-a), not b.example.")

	tell := new(dns.Msg).SetNotify("example.")
	if _, err := dns.ExchangeContext(t.Context(), tell, secondary.Address); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !only(t, r.Check(t.Context(), "orders", "cluster-b", nil)).OK; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the secondary does not follow")
		}
	}
	d.Servers = append(d.Servers, "127.0.0.1:1", silent.Addr().String())
	down, err := redirect.New([]redirect.Target{{Name: "dns", Timeout: 100 * time.Millisecond, DNS: &d}}, redirect.Options{Addresses: inZone, Poster: newClock().poster()})
	if err != nil {
		t.Fatal(err)
	}
	got := only(t, down.Check(t.Context(), "orders", "cluster-b", nil))
	if got.OK || !strings.Contains(got.Detail, "127.0.0.1:1: reach it") || !strings.Contains(got.Detail, silent.Addr().String()+": read its answer") || strings.Contains(got.Detail, secondary.Address) {
		t.Errorf("got %+v", got)
	}
}

// TestDNSAsksEveryNameServerOfTheZone: without a list, those that the zone names, each at
// port 53, and the one that takes updates.
func TestDNSAsksEveryNameServerOfTheZone(t *testing.T) {
	s := newZoneServer(t, bind, "")
	d := alias(s)
	d.Servers = nil
	var asked []string
	var mu sync.Mutex
	r := named(t, d, func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		asked = append(asked, network+" "+address)
		mu.Unlock()
		return (&net.Dialer{}).DialContext(ctx, network, s.Address)
	})
	says(t, "check", r.Check(t.Context(), "orders", "cluster-a", nil), "")
	slices.Sort(asked)
	want := []string{"tcp " + s.Address, "tcp " + s.Address, "tcp ns1.example:53"}
	if d := cmp.Diff(want, asked); d != "" {
		t.Error(d)
	}
}

// TestDNSRefusesWhatDoesNotTellClustersApart: before anything is asked.
func TestDNSRefusesWhatDoesNotTellClustersApart(t *testing.T) {
	two := map[string][]string{"cluster-a": {"192.0.2.1"}, "cluster-b": {"192.0.2.2", "192.0.2.1"}}
	good := redirect.DNS{Server: "127.0.0.1:1", Zone: "example", Name: "m.example", Type: nameserver.A, KeyName: "k", Servers: []string{"127.0.0.1:1"}}
	for _, c := range []struct {
		change func(*redirect.DNS)
		say    string
	}{
		{func(d *redirect.DNS) { d.Values = two }, "cluster-a and cluster-b have the same value 192.0.2.1"},
		{func(d *redirect.DNS) { d.Values = map[string][]string{"cluster-a": {"a.example"}} }, `the values of cluster-a: "a.example" is no address of type A`},
		{func(d *redirect.DNS) { d.Name = "a..example" }, `"a..example" is no domain name`},
		{func(d *redirect.DNS) { d.KeyName = "" }, `"" is no domain name`},
	} {
		d := good
		c.change(&d)
		_, err := redirect.New([]redirect.Target{{Name: "dns", DNS: &d}}, redirect.Options{})
		if err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("got %v, want %q", err, c.say)
		}
	}
	good.Values = map[string][]string{"cluster-a": {"192.0.2.1"}}
	says(t, "a cluster that is not listed", named(t, good, nil).Rehearse(t.Context(), "orders", "cluster-b", nil), "no value of the record is configured for cluster-b (hint: add it to values)")
	good.Values, good.Type = nil, nameserver.CNAME
	r, err := redirect.New([]redirect.Target{{Name: "dns", DNS: &good}}, redirect.Options{Addresses: map[string]string{"cluster-a": "lb.example:1", "cluster-b": "LB.example:2"}})
	if err != nil {
		t.Fatal(err)
	}
	says(t, "one host of two clusters", r.Check(t.Context(), "orders", "cluster-b", nil), "cluster-a and cluster-b have the same value lb.example. (hint: write values")
}
