package gitleaks_test

import (
	"strings"
	"testing"

	"github.com/hopgate/hopgate/guardrails/detect"
	"github.com/hopgate/hopgate/guardrails/gitleaks"
)

const badge = `
title = "ours"
[[rules]]
id = "badge"
description = "a badge"
regex = '''\bbadge[ =:]{1,3}([a-z]{2})-([0-9A-F]{8})\b'''
secretGroup = 2
entropy = 2.0
keywords = ["Badge"]
tags = ["staff"]
path = '''\.env$'''
`

func TestRulesFindWhatGitleaksFinds(t *testing.T) {
	const text, secret = "his badge: qx-01AB23CD is here", "01AB23CD"
	for name, c := range map[string]struct {
		rules, text string
		finds       bool
	}{
		"a group":                {badge, text, true},
		"no keyword":             {badge, strings.Replace(text, "badge", "medal", 1), false},
		"too little entropy":     {badge, strings.Replace(text, secret, "00000000", 1), false},
		"word":                   {badge + "[[rules.allowlists]]\nstopwords = ['ab23']\n", text, false},
		"another word":           {badge + "[[rules.allowlists]]\nstopwords = ['badge']\n", text, true},
		"secret":                 {badge + "[[rules.allowlists]]\nregexes = ['^01A']\n", text, false},
		"match":                  {badge + "[[rules.allowlists]]\nregexTarget = 'match'\nregexes = ['^badge']\n", text, false},
		"line":                   {badge + "[[rules.allowlists]]\nregexTarget = 'line'\nregexes = ['here$']\n", "x\n" + text + "\ny", false},
		"another line":           {badge + "[[rules.allowlists]]\nregexTarget = 'line'\nregexes = ['here$']\n", text + " not\nhere", true},
		"one of two":             {badge + "[[rules.allowlists]]\nregexes = ['^01A']\nstopwords = ['zz']\n", text, false},
		"both of two":            {badge + "[[rules.allowlists]]\ncondition = 'AND'\nregexes = ['^01A']\nstopwords = ['zz']\n", text, true},
		"a path besides":         {badge + "[[rules.allowlists]]\ncondition = 'AND'\nregexes = ['^01A']\npaths = ['x']\n", text, true},
		"older form":             {badge + "[rules.allowlist]\nregexes = ['^01A']\n", text, false},
		"for all rules":          {badge + "[allowlist]\nregexes = ['^01A']\n", text, false},
		"for this rule":          {badge + "[[allowlists]]\ntargetRules = ['badge']\nregexes = ['^01A']\n", text, false},
		"for another":            {badge + "[[allowlists]]\ntargetRules = ['medal']\nregexes = ['^01A']\n", text, true},
		"a keyword a way before": {"[[rules]]\nid = 'x'\nregex = '[0-9a-f]{32}'\nkeywords = ['acme']\n", "acme, in the box: 0123456789abcdef0123456789abcdef", true},
		"literal begin":          {"[[rules]]\nid = 'x'\nregex = 'acme_[0-9]{4}'\n", "acme_4711", true},
		"names of files":         {badge + "[[rules]]\nid = 'file'\npath = '[.]p12$'\n", text, true},
	} {
		rules, err := gitleaks.Rules("ours", c.rules)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		e, err := detect.New(detect.Options{Rules: rules})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		found := false
		e.Scan(detect.NewScratch(), []detect.Leaf{{Text: []byte(c.text)}}, func(_ int, f detect.Finding) {
			if f.Entity != "ours" {
				return
			}
			found = true
			if rest := c.text[f.Start:]; f.Kind != detect.Secret || f.Rule == "badge" && !strings.HasPrefix(rest, secret) {
				t.Errorf("%s: found %q as %v", name, c.text[f.Start:f.End], f.Kind)
			}
		})
		if found != c.finds {
			t.Errorf("%s: found is %v, want %v", name, found, c.finds)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	const rule = "[[rules]]\nid = 'x'\nregex = 'acme_[0-9]{4}'\n"
	for want, text := range map[string]string{
		"line 2":                "[[rules]]\nid = \n",
		"no id":                 "[[rules]]\nregex = 'a'\n",
		"two rules":             rule + rule,
		"there is no regex":     "[[rules]]\nid = 'x'\n",
		"no rule with a regex":  "title = 'x'\n",
		"rules.regexx":          "[[rules]]\nid = 'x'\nregexx = 'a'\n",
		"extend is not":         "[extend]\nuseDefault = true\n" + rule,
		`rule "x": allowlist 1`: rule + "[[rules.allowlists]]\nregexes = ['(']\n",
		"neither AND nor OR":    rule + "[[rules.allowlists]]\ncondition = 'XOR'\nregexes = ['a']\n",
		"none of secret":        rule + "[[rules.allowlists]]\nregexTarget = 'file'\nregexes = ['a']\n",
		"counts from 1":         rule + "secretGroup = -1\n",
		"has no group 2":        rule + "secretGroup = 2\n",
		"there are no keywords": "[[rules]]\nid = 'x'\nregex = '[0-9]{40}'\n",
		"reading the pattern":   "[[rules]]\nid = 'x'\nregex = '(acme'\n",
	} {
		rules, err := gitleaks.Rules("ours", text)
		if err == nil {
			_, err = detect.New(detect.Options{Rules: rules})
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzRules(f *testing.F) {
	f.Add(badge)
	f.Add("[[rules]]\nid = 'x'\nregex = '[0-9]{40}'\nkeywords = ['k']\n[[rules.allowlists]]\nregexes = ['a']\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := gitleaks.Rules("ours", text)
		if err == nil && len(rules) == 0 {
			t.Fatal("neither rules nor an error")
		}
	})
}
