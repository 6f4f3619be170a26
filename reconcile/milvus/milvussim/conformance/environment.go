package conformance

import (
	"errors"
	"fmt"
	"time"
)

// TargetFromEnv reads a target from the variables of docs/conformance.md. All that
// is wrong with them is told at once.
func TargetFromEnv(getenv func(string) string) (Target, error) {
	target := Target{Expendable: getenv("MILVUS_EXPENDABLE") == "yes", ControlOnly: getenv("MILVUS_CONTROL_ONLY") == "yes", Breaker: CommandBreaker(getenv)}
	var problems []error
	if s := getenv("MILVUS_LIMIT"); s != "" {
		limit, err := time.ParseDuration(s)
		if err != nil || limit <= 0 {
			problems = append(problems, fmt.Errorf("MILVUS_LIMIT: %q is not a time like 15m", s))
		}
		target.Limit = limit
	}
	parse := func(name string, into *Cluster) {
		var err error
		if *into, err = ParseCluster(getenv(name)); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	parse("MILVUS_A", &target.A)
	parse("MILVUS_B", &target.B)
	if getenv("MILVUS_C") != "" {
		target.C = &Cluster{}
		parse("MILVUS_C", target.C)
	}
	var err error
	if target.TLS, err = TLSFromFiles(getenv("MILVUS_CA"), getenv("MILVUS_CERT"), getenv("MILVUS_KEY")); err != nil {
		problems = append(problems, err)
	}
	return target, errors.Join(problems...)
}
