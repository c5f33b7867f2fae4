package trust

import "github.com/hopgate/hopgate/policy"

// FileConfig are the keys of the file that this package reads. The zero FileConfig is the defaults.
type FileConfig struct {
	Trust *Section `yaml:"trust" doc:"How the score of agents and upstreams is made of what they do, 0 to 1000. A change holds from then on and rewrites no past."`
}

// Section is the section trust of a file. What is absent has its default.
type Section struct {
	Start    *StartScore `yaml:"start" doc:"Score of a new agent, 0 to 800. Default 500."`
	HalfLife *HalfLife   `yaml:"half_life" doc:"How long it takes until half of something is forgotten."`
	Weights  *Weights    `yaml:"weights" doc:"What a violation of each severity weighs. A weight of 1 halves the score, 2 quarters it."`
	Earn     *Earn       `yaml:"earn" doc:"What good work earns."`
	Classes  *Classes    `yaml:"classes" doc:"Which task types belong to which class of work. Destructive is looked at first, then write, then read; what is in none is write."`
}

// HalfLife are spans of forgetting.
type HalfLife struct {
	Penalty     *PenaltyLife     `yaml:"penalty" doc:"Of violations, 1d to 90d. Default 7d."`
	Credit      *CreditLife      `yaml:"credit" doc:"Of what was earned, 1d to 365d. Default 30d."`
	Reliability *ReliabilityLife `yaml:"reliability" doc:"Of successes and failures, 1h to 30d. Default 1d."`
}

// Weights are what violations weigh. Their bounds keep a worse severity from weighing less.
type Weights struct {
	Low      *LowWeight      `yaml:"low" doc:"0.01 to 0.25. Default 0.1."`
	Medium   *MediumWeight   `yaml:"medium" doc:"0.25 to 1. Default 0.5."`
	High     *HighWeight     `yaml:"high" doc:"1 to 3. Default 1.5."`
	Critical *CriticalWeight `yaml:"critical" doc:"3 to 8. Default 4. An agent goes into quarantine besides."`
}

// Earn is what good work earns. 100 credits lift a score half the way from its start to 1000.
type Earn struct {
	PerDay      *DailyCredits `yaml:"per_day" doc:"Credits that can be earned in a day at most, 1 to 100. Default 20."`
	Read        *Worth        `yaml:"read" doc:"Credits for a success in the class read, 0 to 1. Default 0.02."`
	Write       *Worth        `yaml:"write" doc:"Credits for a success in the class write, 0 to 1. Default 0.2."`
	Destructive *Worth        `yaml:"destructive" doc:"Credits for a success in the class destructive, 0 to 1. Default 1."`
}

// Classes are patterns over task types. A class that is absent has its default.
type Classes struct {
	Read        []policy.Pattern `yaml:"read" doc:"Task types that change nothing. Default: read*, get*, list*, search*, view*, query*."`
	Write       []policy.Pattern `yaml:"write" doc:"Task types that change something. Default: none besides what no class names."`
	Destructive []policy.Pattern `yaml:"destructive" doc:"Task types that cannot be undone. Default: delete*, destroy*, remove*, drop*, admin*, destructive*."`
}

type (
	// StartScore is a score to begin with.
	StartScore = Whole[startBounds]
	// PenaltyLife is a half-life of violations.
	PenaltyLife = Span[penaltyBounds]
	// CreditLife is a half-life of credit.
	CreditLife = Span[creditBounds]
	// ReliabilityLife is a half-life of successes and failures.
	ReliabilityLife = Span[reliabilityBounds]
	// LowWeight is what a low violation weighs.
	LowWeight = Decimal[lowBounds]
	// MediumWeight is what a medium violation weighs.
	MediumWeight = Decimal[mediumBounds]
	// HighWeight is what a high violation weighs.
	HighWeight = Decimal[highBounds]
	// CriticalWeight is what a critical violation weighs.
	CriticalWeight = Decimal[criticalBounds]
	// DailyCredits is what a day can earn at most.
	DailyCredits = Whole[perDayBounds]
	// Worth is what a success earns.
	Worth = Decimal[worthBounds]
)

// Params are the parameters of the score and the classes of work, as a file sets them. They are immutable.
type Params struct {
	rules   rules
	classes Classes
	version string
}

// Version names the formula and its parameters: equal ones have equal names. With it and the records of what was done,
// anybody can compute a score again.
func (p *Params) Version() string { return p.version }

// name is the version, or nothing where no parameters are known.
func (p *Params) name() string {
	if p == nil {
		return ""
	}
	return p.version
}

// ParamsOf returns what the settings of a file say, with defaults for what they leave out.
func ParamsOf(file policy.Settings) *Params {
	p := &Params{rules: defaultRules(), classes: defaultClasses()}
	p.set(file)
	p.version = p.rules.version()
	return p
}

func (p *Params) set(file policy.Settings) {
	c := policy.Setting[FileConfig](file, gateName)
	if c == nil || c.Trust == nil {
		return
	}
	s, r := c.Trust, &p.rules
	set(&r.start, s.Start.value())
	if h := s.HalfLife; h != nil {
		set(&r.penaltyLife, h.Penalty.value())
		set(&r.creditLife, h.Credit.value())
		set(&r.eventLife, h.Reliability.value())
	}
	if w := s.Weights; w != nil {
		set(&r.weight[policy.Low], w.Low.scaled(penaltyOne))
		set(&r.weight[policy.Medium], w.Medium.scaled(penaltyOne))
		set(&r.weight[policy.High], w.High.scaled(penaltyOne))
		set(&r.weight[policy.Critical], w.Critical.scaled(penaltyOne))
	}
	if e := s.Earn; e != nil {
		set(&r.perDay, e.PerDay.value())
		set(&r.earn[read], e.Read.scaled(unit))
		set(&r.earn[write], e.Write.scaled(unit))
		set(&r.earn[destructive], e.Destructive.scaled(unit))
	}
	if s.Classes != nil {
		p.classes.override(s.Classes)
	}
}

// set puts a value in where there is one.
func set(into *uint64, value *uint64) {
	if value != nil {
		*into = *value
	}
}

func defaultClasses() Classes {
	return Classes{
		Read:        patterns("read*", "get*", "list*", "search*", "view*", "query*"),
		Destructive: patterns("delete*", "destroy*", "remove*", "drop*", "admin*", "destructive*"),
	}
}

func patterns(texts ...string) []policy.Pattern {
	all := make([]policy.Pattern, len(texts))
	for i, text := range texts {
		all[i].Text = text
	}
	return all
}

func (c *Classes) override(own *Classes) {
	if own.Read != nil {
		c.Read = own.Read
	}
	if own.Write != nil {
		c.Write = own.Write
	}
	if own.Destructive != nil {
		c.Destructive = own.Destructive
	}
}

// of returns the class of a task type. What nobody has classified may change something.
func (c *Classes) of(task string) class {
	for _, in := range []struct {
		patterns []policy.Pattern
		class    class
	}{{c.Destructive, destructive}, {c.Write, write}, {c.Read, read}} {
		for _, p := range in.patterns {
			if p.Match(task) {
				return in.class
			}
		}
	}
	return write
}
