package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rows says of each row in the list of malformed inputs and abuses what holds Hopgate to its answer: the tables of this
// package that have entries for it, and tests. Where our answer is another one, docs/decisions/0011-answers.md says why.
var rows = map[string]string{
	"1": "abuses modern", "2": "abuses", "3": "abuses", "4": "abuses", "5": "abuses modern e2e.TestBatchMembersAreJudgedOneByOne", "6": "abuses",
	"7": "abuses", "8": "abuses", "9": "abuses", "10": "abuses", "11": "abuses e2e.TestIDsKeepTheirBytesOrAreRefused", "12": "abuses",
	"13": "e2e.TestAnIDInUseIsRefusedAndTheFirstCallGoesOn", "14": "abuses e2e.TestAnswersToServersAreTakenOnceFromTheirOwner",
	"15": "e2e.TestAnswersToServersAreTakenOnceFromTheirOwner mcpproxy.TestAnswersOfOthersAreDropped", "16": "abuses", "17": "abuses",
	"18": "abuses", "19": "abuses modern", "20": "abuses", "21": "abuses", "22": "abuses", "23": "abuses", "24": "abuses", "25": "abuses",
	"26": "abuses", "27": "abuses", "28": "abuses", "29": "abuses modern", "30": "abuses",
	"31": "abuses toolscope.TestNamesThatLookAlikeAreHidden", "32": "abuses", "33": "abuses", "34": "abuses", "35": "abuses",
	"36": "abuses", "37": "abuses", "38": "abuses", "39": "abuses e2e.TestHTTPIsTakenStrictly", "40": "abuses", "41": "abuses",
	"42": "abuses", "43": "abuses modern", "44": "abuses", "45": "abuses modern",
	"46": "abuses e2e.TestAnIDInUseIsRefusedAndTheFirstCallGoesOn", "47": "e2e.TestResultsAfterACancellationGoNowhere",
	"48": "abuses modern e2e.TestProgressIsForItsOwnCallOnly", "49": "abuses mcpproxy.TestCursorsAreBound mcpproxy.TestListingsEnd",
	"50": "abuses", "51": "e2e.TestSessionsBeginAndEndOnce", "52": "e2e.TestSessionsBeginAndEndOnce", "53": "abuses",
	"54": "abuses e2e.TestSessionsBeginAndEndOnce", "55": "e2e.TestForeignSessionsAreUnknown mcpproxy.TestSSEAddressIsBoundToItsAgentAndSession",
	"56": "e2e.TestSessionsBeginAndEndOnce", "57": "abuses", "58": "e2e.TestForeignSessionsAreUnknown e2e.TestSessionsBeginAndEndOnce",
	"59": "abuses", "60": "e2e.TestEventsAreReplayedToTheirOwnerOnly", "61": "abuses modern", "62": "abuses", "63": "abuses",
	"64": "abuses e2e.TestHTTPIsTakenStrictly", "65": "e2e.TestHTTPIsTakenStrictly",
	"66": "e2e.TestHTTPIsTakenStrictly mcpproxy/ingress.TestHTTPSmuggling", "67": "e2e.TestHTTPIsTakenStrictly",
	"68": "e2e.TestHTTPIsTakenStrictly", "69": "e2e.TestAReaderThatDoesNotReadKeepsNobodyWaiting mcpproxy/ingress.TestSSECutsOffAClientThatDoesNotRead",
	"70":  "mcpproxy.TestSessionsOfAnAgentAreBounded mcpproxy.TestSubscriptionsOfAnAgentAreBounded mcpproxy.TestLinesAreBoundedForEachAgent",
	"M71": "modern", "M72": "modern", "M73": "modern", "M74": "modern", "M75": "modern e2e.TestVersionsThatAreSupportedAreNamed",
	"M76": "modern", "M77": "modern", "M78": "modern mcpproxy.TestStatesAreBoundAndCountOnce",
	"M79": "mcpproxy.TestAnswersThatNobodyAskedForAreOfANewCall e2e.TestWhatIsPlantedIsFoundEverywhere",
	"M80": "modern mcpproxy.TestServersAskOnlyWhatClientsHaveDeclared", "M81": "modern", "M82": "modern",
	"U83": "misdeeds", "U84": "misdeeds mcpproxy/upstream.TestEventStreamIsBounded", "U85": "misdeeds", "U86": "misdeeds e2e.TestResultsAfterACancellationGoNowhere",
	"U87": "e2e.TestToolThatTurnsIsWithheldAlone", "U88": "e2e.TestAPageThatSaysOtherwiseIsNotBelieved mcpproxy.TestListingsEnd toolscope.TestACatalogIsBounded",
	"U89": "e2e.TestTextAndStructuredContentThatDifferAreOnRecord", "U90": "misdeeds mcpproxy/upstream.TestSSEPostsOnlyToItsOwnOrigin mcpproxy/upstream.TestAddressIsCheckedWhereItIsDialled",
	"U91": "misdeeds e2e.TestDefinitionsHideNothing", "U92": "misdeeds mcpproxy.TestAStormOfChangesIsMerged mcpproxy.TestModernServerAsksNothing",
	"U93": "misdeeds mcpproxy/upstream.TestCloseEndsTheWholeGroup mcpproxy/upstream.TestStderrIsDrainedAndBounded",
	"U94": "quota.TestLaterRoundsAreBoundedAndChargedOnce mcpproxy.TestRoundsOfOneAgentAreBounded",
	"X95": "e2e.TestOnlyAKeyInItsHeaderCounts e2e.TestRevocationEndsWhatIsOpen trust/identity.TestKeysExpire",
	"X96": "e2e.TestNothingThatAnAgentSaysOfItselfGoesOn", "X97": "quota.TestManyCallersStayBelowTheCap quota.TestNeverAboveTheCap e2e.TestACapHoldsWhateverIsKilledAndLost",
	"X98": "quota.TestAClockSetBackOpensNothing trust.TestAClockThatStepsBackForgivesNothing e2e.TestACapHoldsOnAFullDisk e2e.TestAReloadJudgesOpenSessions",
}

// TestEveryRowHasItsTest fails where a row has none, or one that is not there.
func TestEveryRowHasItsTest(t *testing.T) {
	t.Parallel()
	tables := map[string]map[string]bool{
		"abuses": begins(slices.Collect(maps.Keys(abuses()))), "modern": begins(slices.Collect(maps.Keys(modernAbuses()))),
		"misdeeds": begins(slices.Collect(maps.Keys(misdeeds("")))),
	}
	var want []string
	for i := 1; i <= 98; i++ {
		prefix := ""
		switch {
		case i > 94:
			prefix = "X"
		case i > 82:
			prefix = "U"
		case i > 70:
			prefix = "M"
		}
		want = append(want, prefix+strconv.Itoa(i))
	}
	for row := range rows {
		if !slices.Contains(want, row) {
			t.Errorf("there is no row %s", row)
		}
	}
	found := map[string]map[string]bool{} // tests, by folder
	for _, row := range want {
		if rows[row] == "" {
			t.Errorf("row %s has no test", row)
		}
		for by := range strings.FieldsSeq(rows[row]) {
			dir, name, isTest := strings.Cut(by, ".")
			if isTest && found[dir] == nil {
				found[dir] = testsIn(t, filepath.Join("..", filepath.FromSlash(dir)))
			}
			switch {
			case isTest && !found[dir][name]:
				t.Errorf("row %s: there is no test %s", row, by)
			case !isTest && !tables[by][row]:
				t.Errorf("row %s: the table %s has no entry for it", row, by)
			}
		}
	}
	for table, has := range tables {
		for row := range has {
			if !slices.Contains(strings.Fields(rows[row]), table) {
				t.Errorf("the table %s has entries for row %q, which does not name it", table, row)
			}
		}
	}
}

// begins returns the first words of names.
func begins(names []string) map[string]bool {
	words := map[string]bool{}
	for _, name := range names {
		word, _, _ := strings.Cut(name, " ")
		words[word] = true
	}
	return words
}

// testsIn returns the tests of a folder, whatever they are built for.
func testsIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
