package render

type wireDiagnosis struct {
	FormatVersion string          `json:"formatVersion"`
	Commit        *string         `json:"commit"`
	GeneratedAt   *string         `json:"generatedAt"`
	Ready         bool            `json:"ready"`
	Score         wireScore       `json:"score"`
	FixFirst      []string        `json:"fixFirst"`
	Topologies    []wireDiagnosed `json:"topologies"`
	Checks        []wireCheck     `json:"checks"`
	BreakGlass    []string        `json:"breakGlass"`
	Upgrades      []wireUpgrade   `json:"upgrades,omitempty"`
}

type wireScore struct {
	Promotable int `json:"promotable"`
	Standbys   int `json:"standbys"`
}

type wireDiagnosed struct {
	Name     string                 `json:"name"`
	Primary  string                 `json:"primary"`
	Ready    bool                   `json:"ready"`
	Standbys []wireDiagnosedStandby `json:"standbys"`
	UnderWay *wireUnderWay          `json:"underWay"`
	Outage   *wireOutage            `json:"outage"`
}

type wireDiagnosedStandby struct {
	Cluster   string         `json:"cluster"`
	Verdict   string         `json:"verdict"`
	DataLoss  *wireLag       `json:"dataLoss"`
	Obstacles []wireObstacle `json:"obstacles"`
}

type wireObstacle struct {
	Code       *string `json:"code"`
	Message    string  `json:"message"`
	Remedy     *string `json:"remedy"`
	Acceptable bool    `json:"acceptable"`
	After      bool    `json:"afterPromotion"`
}

type wireCheck struct {
	Area    string  `json:"area"`
	Subject *string `json:"subject"`
	Verdict string  `json:"verdict"`
	Message string  `json:"message"`
	Remedy  *string `json:"remedy"`
	Blocks  bool    `json:"blocks"`
}

func encodeDiagnosis(d Diagnosis) wireDiagnosis {
	could, of := d.Score()
	return wireDiagnosis{
		FormatVersion: answerFormat, Commit: textOrNil(d.Commit), GeneratedAt: timeOrNil(d.At), Ready: d.Ready(),
		Score: wireScore{could, of}, FixFirst: mapList(d.FixFirst(), same), BreakGlass: mapList(d.BreakGlass, same),
		Upgrades: mapList(d.Upgrades, encodeUpgrade),
		Topologies: mapList(d.Topologies, func(t DiagnosedTopology) wireDiagnosed {
			return wireDiagnosed{
				Name: t.Name, Primary: t.Primary, Ready: t.Ready() && !d.Stopped(), Standbys: mapList(t.Standbys, encodeStandby),
				UnderWay: encodeUnderWay(t.UnderWay), Outage: encodeOutage(t.Outage),
			}
		}),
		Checks: mapList(d.Checks, func(c Check) wireCheck {
			return wireCheck{Area: c.Area, Subject: textOrNil(c.Subject), Verdict: c.Verdict.String(), Message: c.Message, Remedy: textOrNil(c.Remedy), Blocks: c.Blocks}
		}),
	}
}

func encodeStandby(s DiagnosedStandby) wireDiagnosedStandby {
	return wireDiagnosedStandby{
		Cluster: s.Cluster, Verdict: s.Verdict(), DataLoss: encodeLag(s.Loss),
		Obstacles: mapList(s.Obstacles, func(o Obstacle) wireObstacle {
			return wireObstacle{Code: textOrNil(string(o.Code)), Message: o.Message, Remedy: textOrNil(o.Remedy), Acceptable: o.Acceptable, After: o.After}
		}),
	}
}
