package configs

import (
	"fmt"

	"github.com/hopgate/hopgate/policy"
)

// groups are the teams and organisations of a file, while it is compiled.
type groups struct {
	teams     map[string]*policy.Team
	orgs      map[string]*policy.Org
	teamNames []string
	orgNames  []string
	used      map[any]bool // teams with agents, organisations with teams
}

// groups compiles organisations and teams. They come before the agents that belong to them.
func (c *compiler) groups(doc *document) {
	c.group = groups{teams: map[string]*policy.Team{}, orgs: map[string]*policy.Org{}, used: map[any]bool{}}
	g := &c.group
	for i := range doc.Orgs {
		o := &doc.Orgs[i]
		g.orgs[string(o.Name)] = &policy.Org{Name: string(o.Name), Settings: o.Gates, At: o.At}
		g.orgNames = append(g.orgNames, string(o.Name))
	}
	for i := range doc.Teams {
		t := &doc.Teams[i]
		team := &policy.Team{Name: string(t.Name), Settings: t.Gates, At: t.At}
		if t.Org != nil && t.Org.At.Line > 0 {
			team.Org = g.orgs[t.Org.Text]
			g.used[team.Org] = true
			if team.Org == nil {
				c.report.fail(CodeName, t.Org.At, "teams."+team.Name+".org", fmt.Sprintf("no organisation named %q", t.Org.Text),
					c.known(t.Org.Text, g.orgNames, "orgs"))
			}
		}
		g.teams[team.Name] = team
		g.teamNames = append(g.teamNames, team.Name)
	}
}

// team finds the team of an agent.
func (c *compiler) team(a *agent) *policy.Team {
	if a.Team == nil || a.Team.At.Line == 0 { // absent, or not readable, which is reported already
		return nil
	}
	t := c.group.teams[a.Team.Text]
	c.group.used[t] = true
	if t == nil {
		c.report.fail(CodeName, a.Team.At, "agents."+string(a.Name)+".team", fmt.Sprintf("no team named %q", a.Team.Text),
			c.known(a.Team.Text, c.group.teamNames, "teams"))
	}
	return t
}

// sound reports whether an agent, its team and its organisation were decoded whole.
func (c *compiler) sound(a *policy.Agent) bool {
	switch {
	case c.broken["agents."+a.Name]:
		return false
	case a.Team == nil:
		return true
	case c.broken["teams."+a.Team.Name]:
		return false
	}
	return a.Team.Org == nil || !c.broken["orgs."+a.Team.Org.Name]
}

// unusedGroups warns of teams and organisations that nobody belongs to.
func (c *compiler) unusedGroups() {
	g := &c.group
	for _, name := range g.teamNames {
		if t := g.teams[name]; !g.used[t] {
			c.report.warn(CodeUnused, t.At, "teams."+name, "no agent belongs to this team", "")
		}
	}
	for _, name := range g.orgNames {
		if o := g.orgs[name]; !g.used[o] {
			c.report.warn(CodeUnused, o.At, "orgs."+name, "no team belongs to this organisation", "")
		}
	}
}
