package discovery

import (
	"cmp"
	"net"
	"slices"
	"strconv"
)

const (
	nameLabel     = "app.kubernetes.io/name"
	instanceLabel = "app.kubernetes.io/instance"
	milvusLabel   = nameLabel + "=milvus"
	clientPort    = 19530
)

// metadata is what is read of each object.
type metadata struct {
	Name            string
	Namespace       string
	Labels          map[string]string
	OwnerReferences []struct{ Kind, Name string }
}

// service is the Service through which clients reach a cluster.
type service struct {
	Metadata metadata
	Spec     struct {
		Type  string
		Ports []struct {
			Name string
			Port int
		}
	}
	Status struct {
		LoadBalancer struct {
			Ingress []struct{ IP, Hostname string }
		}
	}
}

// maker tells the operator by the owner that it writes into what it makes.
func (m metadata) maker() Maker {
	if slices.ContainsFunc(m.OwnerReferences, func(o struct{ Kind, Name string }) bool { return o.Kind == "Milvus" }) {
		return Operator
	}
	return Chart
}

func (s service) place() Place { return s.Metadata.place() }

// place returns where the cluster of an object is: both makers name it in the same label.
func (m metadata) place() Place {
	return Place{Namespace: m.Namespace, Instance: m.Labels[instanceLabel]}
}

// isMilvus tells the Service for clients from those of attu, of metrics and of single components.
func (s service) isMilvus() bool {
	component := s.Metadata.Labels["component"]
	return s.place().Instance != "" && s.port() != 0 && (s.Metadata.maker() == Operator || component == "proxy" || component == "standalone")
}

// port returns the port for clients; 0: there is none.
func (s service) port() int {
	for _, p := range s.Spec.Ports {
		if p.Name == "milvus" || p.Port == clientPort {
			return p.Port
		}
	}
	return 0
}

// address returns host:port: of the load balancer if there is one, since other regions reach
// that too; else the name within this Kubernetes.
func (s service) address() (address string, inside bool) {
	port := strconv.Itoa(s.port())
	for _, at := range s.Status.LoadBalancer.Ingress {
		if host := cmp.Or(at.Hostname, at.IP); host != "" {
			return net.JoinHostPort(host, port), false
		}
	}
	return net.JoinHostPort(s.Metadata.Name+"."+s.Metadata.Namespace+".svc", port), true
}

// deployment is the Deployment of one component.
type deployment struct {
	Metadata metadata
	Status   struct{ ReadyReplicas int }
}

func (d deployment) place() Place { return d.Metadata.place() }

// component returns the name of the component: the operator and the chart use different labels.
func (d deployment) component() string {
	if of := d.Metadata.Labels["app.kubernetes.io/component"]; of != "" {
		return of
	}
	return d.Metadata.Labels["component"]
}

// milvusResource is the operator's custom resource.
type milvusResource struct {
	Metadata metadata
	Spec     struct{ Config map[string]any }
}

func (m milvusResource) owns(p Place) bool {
	return m.Metadata.Namespace == p.Namespace && m.Metadata.Name == p.Instance
}
