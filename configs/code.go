package configs

// Code names a kind of diagnostic. Codes are stable: scripts and documentation refer to them.
type Code string

// Codes. Those below HG2000 are errors, the others are warnings.
const (
	CodeUnreadable Code = "HG1001"
	CodeSyntax     Code = "HG1002"
	CodeDocuments  Code = "HG1003"
	CodeFeature    Code = "HG1004"
	CodeDuplicate  Code = "HG1005"

	CodeUnknownKey Code = "HG1010"
	CodeMissingKey Code = "HG1011"
	CodeKind       Code = "HG1012"
	CodeForm       Code = "HG1013"
	CodeConflict   Code = "HG1014"

	CodeValue     Code = "HG1020"
	CodeName      Code = "HG1021"
	CodeOverlap   Code = "HG1022"
	CodeReference Code = "HG1023"
	CodeExposed   Code = "HG1024"
	CodeGate      Code = "HG1025"
	CodeTest      Code = "HG1026"
	CodeTooMany   Code = "HG1027"

	CodeLiteral   Code = "HG2001"
	CodePlainHTTP Code = "HG2002"
	CodeUnused    Code = "HG2003"
	CodeSuspect   Code = "HG2004"
	CodeLapsed    Code = "HG2005"
	CodeMachine   Code = "HG2006"
)

// Stage is the step of reading a file at which a kind of diagnostic arises.
type Stage uint8

// Stages.
const (
	StageText      Stage = iota // bytes and YAML, before there is a structure to judge
	StageStructure              // keys, types and forms: all of what the JSON Schema says, and nothing else
	StageMeaning                // names, references, ranges, conditions: what only the loader can know
)

// CodeInfo describes a Code.
type CodeInfo struct {
	Code  Code
	Stage Stage
	Text  string
}

// Codes lists every code there is, in order.
func Codes() []CodeInfo {
	return []CodeInfo{
		{CodeUnreadable, StageText, "the file cannot be read, or is too large"},
		{CodeSyntax, StageText, "the file is not YAML, or holds characters that cannot be seen"},
		{CodeDocuments, StageText, "the file does not hold exactly one document"},
		{CodeFeature, StageText, "the file uses a part of YAML that this language leaves out"},
		{CodeDuplicate, StageText, "a key stands twice in one mapping"},
		{CodeUnknownKey, StageStructure, "a key that this language does not have"},
		{CodeMissingKey, StageStructure, "a key that must be there is not"},
		{CodeKind, StageStructure, "a value of another type than the one wanted"},
		{CodeForm, StageStructure, "a text that does not have the form wanted"},
		{CodeConflict, StageStructure, "keys that may not stand together, or only together"},
		{CodeValue, StageMeaning, "a value out of range or not sound"},
		{CodeName, StageMeaning, "a name that nothing declares"},
		{CodeOverlap, StageMeaning, "two definitions of one thing"},
		{CodeReference, StageMeaning, "a ${...} that cannot be resolved, or is not allowed there"},
		{CodeExposed, StageMeaning, "a listener that would take credentials in plain text over a network"},
		{CodeGate, StageMeaning, "a limit of a connection that its gate refuses"},
		{CodeTest, StageMeaning, "a test of the file that does not hold"},
		{CodeTooMany, StageMeaning, "more mistakes, or more connections, than are sensible"},
		{CodeLiteral, StageMeaning, "a secret that stands in the file itself"},
		{CodePlainHTTP, StageMeaning, "an upstream that is reached over a network without encryption"},
		{CodeUnused, StageMeaning, "an agent or an upstream that no connection names"},
		{CodeSuspect, StageMeaning, "something that is allowed and is probably not meant"},
		{CodeLapsed, StageMeaning, "something whose time has passed"},
		{CodeMachine, StageMeaning, "something that this machine does not have as the file names it"},
	}
}

// Stage returns the stage at which the code arises. An unknown code is of [StageMeaning].
func (c Code) Stage() Stage {
	for _, i := range Codes() {
		if i.Code == c {
			return i.Stage
		}
	}
	return StageMeaning
}
