package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestLogsMoveNoCursor logs what a server may say. A reader of the JSON gets all of it back.
func TestLogsMoveNoCursor(t *testing.T) {
	for name, said := range map[string]string{
		"plain":                 "a tool",
		"letters":               "čaj für 猫 🐈",
		"escape":                "\x1b[2J\a",
		"one byte of an escape": "\u009b2J",
		"delete":                "\x7f",
		"other direction":       "\u202egnp.exe",
		"lines":                 "a\u2028b\u2029c\u0085d\r\n{}",
		"tags":                  "\U000e0041",
		"no letters":            "\u200b\ufeff",
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			log := zerolog.New(plainLines{&out})
			log.Info().Str("said", said).Msg("heard")
			line := out.String()
			if i := strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r == '\n' || unseen(r) }); i >= 0 {
				t.Errorf("the line holds %q", line[i:])
			}
			var got struct{ Said string }
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Said != said {
				t.Errorf("read back as %q, %v", got.Said, err)
			}
		})
	}
}
