package detect

// kinds is a set of sorts of phrases.
type kinds uint64

func bit(k sort8) kinds { return 1 << k }

// sentence is a rule of the grammar: something of each set that is not empty stands close by, or not far.
type sentence struct {
	score      int
	entity     string
	near, wide [3]kinds
}

const (
	someOverride kinds = 1 << override
	someScope    kinds = 1 << scope
	someOrder    kinds = 1 << order
	someDisclose kinds = 1 << disclose
	someInner    kinds = 1 << inner
	someTemplate kinds = 1 << template
	someAddress  kinds = 1 << address
	someConceal  kinds = 1 << conceal
	someSend     kinds = 1 << send
	someDo       kinds = 1 << do
	someSource   kinds = 1 << source
	someLoot     kinds = 1 << loot
	someSink     kinds = 1 << sink
	someFirst    kinds = 1 << toolFirst
	somePersist  kinds = 1 << persist
	someNotice   kinds = 1 << notice
	someHistory  kinds = 1 << history
	someTool     kinds = 1 << tool
	// steer is what turns a text to a model: it is spoken to, a role is forged, people do not look there.
	steer = someAddress | someNotice | someTemplate | 1<<container
)

// grammar is what instructions to a model are made of.
var grammar = []sentence{
	{80, "override", [3]kinds{someOverride, someScope, someOrder}, [3]kinds{}},
	{80, "override", [3]kinds{someOverride, someInner}, [3]kinds{}},
	{75, "override", [3]kinds{1 << whole}, [3]kinds{}},
	{65, "override", [3]kinds{someOverride, someOrder, someSend | somePersist}, [3]kinds{someConceal | someSource | someNotice | someTemplate}},
	{65, "override", [3]kinds{someOverride, someOrder}, [3]kinds{someNotice}},
	{70, "prompt-leak", [3]kinds{someDisclose, someInner}, [3]kinds{}},
	{65, "concealment", [3]kinds{}, [3]kinds{someConceal, someSend | someFirst | someLoot | someSource | someNotice | someTool}},
	{62, "exfiltration", [3]kinds{someSend, someLoot}, [3]kinds{someSink | someConceal}},
	{62, "exfiltration", [3]kinds{someSend, someSource, someSink}, [3]kinds{}},
	{60, "exfiltration", [3]kinds{someLoot, someSend | someConceal}, [3]kinds{}},
	{60, "exfiltration", [3]kinds{someLoot, someDo}, [3]kinds{steer}},
	{58, "exfiltration", [3]kinds{someFirst, someHistory}, [3]kinds{}},
	{58, "exfiltration", [3]kinds{someSend | someDo, someHistory}, [3]kinds{someSink | steer}},
	{60, "tool-steering", [3]kinds{someFirst}, [3]kinds{steer | someLoot | someConceal | someTool}},
	{60, "tool-steering", [3]kinds{somePersist}, [3]kinds{someTool}},
	{60, "tool-steering", [3]kinds{someSend | someDisclose}, [3]kinds{someTool, steer}},
	{60, "addressed", [3]kinds{someOverride}, [3]kinds{someAddress}},
	{60, "addressed", [3]kinds{someDisclose, someInner | someSource}, [3]kinds{someAddress}},
	{60, "addressed", [3]kinds{someSend, someSource | someSink}, [3]kinds{someAddress}},
	{60, "addressed", [3]kinds{someDo, someLoot}, [3]kinds{someAddress}},
	{60, "addressed", [3]kinds{someDo, someSource, someSink}, [3]kinds{someAddress}},
	{60, "addressed", [3]kinds{}, [3]kinds{someAddress, someConceal}},
	{60, "addressed", [3]kinds{someDo, someSink}, [3]kinds{someAddress, 1 << container}},
	{58, "persistence", [3]kinds{somePersist, someInner | someOverride | someConceal | someLoot}, [3]kinds{}},
	{58, "persistence", [3]kinds{somePersist, someNotice}, [3]kinds{someSend}},
	{55, "persistence", [3]kinds{1 << persistAgain}, [3]kinds{}},
	{48, "forged-role", [3]kinds{someTemplate, someNotice | 1<<templateAgain}, [3]kinds{}},
	{55, "forged-role", [3]kinds{someTemplate}, [3]kinds{someOverride | someDisclose | someSend}},
}
