package configs

// Code names a kind of diagnostic, whatever its words are: what the tests of the language hold a report to. People are
// shown the words alone.
//
// HG100x arise before there is a structure to judge, HG101x are about the structure, which is all of what the JSON Schema
// says and nothing else, and HG102x about what only the loader can know: names, references, ranges, conditions. HG20xx are
// warnings.
type Code string

// Codes.
const (
	CodeUnreadable Code = "HG1001" // the file cannot be read, or is too large
	CodeSyntax     Code = "HG1002" // the file is not YAML, or holds characters that cannot be seen
	CodeDocuments  Code = "HG1003" // the file does not hold exactly one document
	CodeFeature    Code = "HG1004" // the file uses a part of YAML that this language leaves out
	CodeDuplicate  Code = "HG1005" // a key stands twice in one mapping

	CodeUnknownKey Code = "HG1010" // a key that this language does not have
	CodeMissingKey Code = "HG1011" // a key that must be there is not
	CodeKind       Code = "HG1012" // a value of another type than the one wanted
	CodeForm       Code = "HG1013" // a text that does not have the form wanted
	CodeConflict   Code = "HG1014" // keys that may not stand together, or only together

	CodeValue     Code = "HG1020" // a value out of range or not sound
	CodeName      Code = "HG1021" // a name that nothing declares
	CodeOverlap   Code = "HG1022" // two definitions of one thing
	CodeReference Code = "HG1023" // a ${...} that cannot be resolved, or is not allowed there
	CodeExposed   Code = "HG1024" // a listener that would take credentials in plain text over a network
	CodeGate      Code = "HG1025" // a limit of a connection that its gate refuses
	CodeTest      Code = "HG1026" // a test of the file that does not hold
	CodeTooMany   Code = "HG1027" // more mistakes, or more connections, than are sensible

	CodeLiteral   Code = "HG2001" // a secret that stands in the file itself
	CodePlainHTTP Code = "HG2002" // an upstream that is reached over a network without encryption
	CodeUnused    Code = "HG2003" // an agent or an upstream that no connection names
	CodeSuspect   Code = "HG2004" // something that is allowed and is probably not meant
	CodeLapsed    Code = "HG2005" // something whose time has passed
	CodeMachine   Code = "HG2006" // something that this machine does not have as the file names it
)
