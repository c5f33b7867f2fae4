package configs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hopgate/hopgate/configs"
	"github.com/hopgate/hopgate/policy"
)

// level is what a gate may ask in places besides connections.
type level struct {
	Level int `yaml:"level" doc:"How much."`
}

// lists is the configuration of a gate whose entries other gates have keys on.
type lists struct {
	Jobs []job `yaml:"jobs" doc:"Jobs."`
}

type job struct {
	Name  policy.Pattern  `yaml:"name,scalar,required" doc:"Name."`
	Gates policy.Settings `yaml:",inline" place:"tool"`
}

func (*lists) Asked() policy.Settings { return nil }

func (l *lists) Scopes() (tools, tasks []policy.Scope) {
	for _, j := range l.Jobs {
		tools = append(tools, policy.Scope{Name: j.Name, Settings: j.Gates})
	}
	return tools, nil
}

// levelled are two gates: one with keys in all places, and one that names tools. seen gets the connection that is built.
func levelled(seen *[]*policy.Connection) []policy.Spec {
	keys := func() any { return new(level) }
	spec := policy.NewSpec("level", "how much", nil, func(c *policy.Connection, _ *level) (policy.Gate, error) {
		*seen = append(*seen, c)
		return nil, nil
	})
	for _, p := range []policy.Place{policy.OnFile, policy.OnAgent, policy.OnTeam, policy.OnOrg, policy.OnUpstream, policy.OnTool, policy.OnTask, policy.OnSampling} {
		spec = spec.On(p, keys)
	}
	return []policy.Spec{spec, policy.NewSpec("lists", "which", nil, func(*policy.Connection, *lists) (policy.Gate, error) { return nil, nil })}
}

func TestGatesHaveKeysBesidesConnections(t *testing.T) {
	const text = `version: 1
level: 1
orgs: { acme: { level: 2 } }
teams: { red: { org: acme, level: 3 } }
agents:
  a: { auth: key, team: red, level: 4 }
  b: { auth: key }
upstreams: { u: { command: [x], level: 5 } }
connections:
  c: { from: [a, b], to: u, jobs: [plain, { name: big, level: 6 }] }
`
	var seen []*policy.Connection
	if _, err := configs.Parse("t.yaml", []byte(text), configs.Options{Gates: levelled(&seen)}); err != nil {
		t.Fatal(err)
	}
	at := func(s policy.Settings) int {
		if l := policy.Setting[level](s, "level"); l != nil {
			return l.Level
		}
		return 0
	}
	c := seen[0]
	got := []int{at(c.File), at(c.Agent.Team.Org.Settings), at(c.Agent.Team.Settings), at(c.Agent.Settings), at(c.Upstream.Settings), at(c.Tools[0].Settings), at(c.Tools[1].Settings)}
	if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 0, 6}, got); diff != "" {
		t.Errorf("settings of file, org, team, agent, upstream and tools (-want +got):\n%s", diff)
	}
	if other := seen[1]; other.Agent.Team != nil || other.Agent.Settings != nil {
		t.Errorf("an agent without a team has %v and %v", other.Agent.Team, other.Agent.Settings)
	}
}

func TestMistakesInGroupsHaveTheirPlace(t *testing.T) {
	const head = "version: 1\nupstreams: { u: { command: [x] } }\nconnections: { c: { from: a, to: u } }\n"
	for name, c := range map[string]struct{ text, want string }{
		"a team that is not declared": {
			head + "teams: { red: {} }\nagents: { a: { auth: key, team: rad } }\n",
			`t.yaml:5:33: error: no team named "rad"  [agents.a.team]`,
		},
		"an organisation that is not declared": {
			head + "teams: { red: { org: acme } }\nagents: { a: { auth: key, team: red } }\n",
			`t.yaml:4:22: error: no organisation named "acme"  [teams.red.org]`,
		},
		"a key that no gate has there": {
			head + "orgs: { acme: { lvl: 1 } }\nagents: { a: { auth: key } }\n",
			`t.yaml:4:17: error: unknown key "lvl"  [orgs.acme]`,
		},
		"a value of another type": {
			head + "level: high\nagents: { a: { auth: key } }\n",
			`t.yaml:4:8: error: `,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []*policy.Connection
			_, err := configs.Parse("t.yaml", []byte(c.text), configs.Options{Gates: levelled(&seen)})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestGroupsThatNobodyBelongsToAreTold(t *testing.T) {
	var seen []*policy.Connection
	f, err := configs.Parse("t.yaml", []byte("version: 1\nteams: { red: {} }\norgs: { acme: {} }\n"), configs.Options{Gates: levelled(&seen)})
	if err != nil || len(f.Warnings) != 2 {
		t.Errorf("got %v, %v; want two warnings", f.Warnings, err)
	}
}

func TestAMappingThatAScalarMayStandForIsAListOfOne(t *testing.T) {
	var seen []*policy.Connection
	const text = "version: 1\nagents: { a: key }\nupstreams: { u: { command: [x] } }\nconnections: { c: { from: a, to: u, jobs: { name: big, level: 6 } } }\n"
	if _, err := configs.Parse("t.yaml", []byte(text), configs.Options{Gates: levelled(&seen)}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 || len(seen[0].Tools) != 1 || seen[0].Tools[0].Name.Text != "big" {
		t.Errorf("got %+v", seen)
	}
}

func TestAMistakeThatConnectionsShareIsToldOnce(t *testing.T) {
	at := policy.Pos{File: "t.yaml", Line: 2, Col: 3}
	gate := policy.NewSpec("wrong", "wrong", nil, func(*policy.Connection, *level) (policy.Gate, error) {
		return nil, policy.Complaints{{At: at, Text: "too much"}}
	})
	const text = "version: 1\nagents: { a: key }\nupstreams: { u: { command: [x] }, v: { command: [x] } }\nconnections: { c: { from: a, to: [u, v] } }\n"
	_, err := configs.Parse("t.yaml", []byte(text), configs.Options{Gates: []policy.Spec{gate}})
	var all configs.Diagnostics
	if !errors.As(err, &all) || len(all) != 1 {
		t.Errorf("got %v, want one error", err)
	}
}

// picky is a gate that finds fault with every key it has.
func picky() []policy.Spec {
	type keys struct {
		Wish string `yaml:"wish" doc:"A wish."`
	}
	return []policy.Spec{policy.NewSpec("picky", "nothing", nil, func(_ *policy.Connection, k *keys) (policy.Gate, error) {
		if k.Wish == "" {
			return nil, nil
		}
		return nil, policy.Complaints{{Text: "the wish " + k.Wish + " cannot be granted"}}
	})}
}

func TestMistakesInKeysOfGatesAreToldBesideOthers(t *testing.T) {
	for name, rest := range map[string]string{
		"an upstream that cannot be reached": "agents: { a: key }\nupstreams: { u: { url: \"${env:UNSET}\" } }\nconnections: { c: { from: a, to: u, wish: ice } }\n",
		"an upstream with an unknown header": "agents: { a: key }\nupstreams: { u: { url: \"https://h/\", headers: { \"b c\": x } } }\nconnections: { c: { from: a, to: u, wish: ice } }\n",
		"an upstream that is not declared":   "agents: { a: key }\nupstreams: { u: { command: [x] } }\nconnections: { c: { from: a, to: v, wish: ice } }\n",
		"an agent that is not declared":      "agents: { a: key }\nupstreams: { u: { command: [x] } }\nconnections: { c: { from: b, to: u, wish: ice } }\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := configs.Parse("t.yaml", []byte("version: 1\n"+rest), configs.Options{Gates: picky()})
			var all configs.Diagnostics
			if !errors.As(err, &all) || len(all) != 2 || !strings.Contains(err.Error(), "the wish ice cannot be granted") {
				t.Errorf("got %v, want two errors", err)
			}
		})
	}
}
