package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hopgate/hopgate/audit"
	"github.com/hopgate/hopgate/policy"
)

// TestAJournalThatIsNotWhereItWasLetsNothingThrough: the process goes on writing to files that it has open, whatever becomes of
// their names, and what is there instead may be another process's.
func TestAJournalThatIsNotWhereItWasLetsNothingThrough(t *testing.T) {
	for name, move := range map[string]func(p *place) error{
		"the state is moved": func(p *place) error { return os.Rename(p.dir, p.dir+".old") },
		"the state is replaced by a copy": func(p *place) error {
			return errors.Join(os.Rename(p.dir, p.dir+".old"), os.CopyFS(p.dir, os.DirFS(p.dir+".old")))
		},
		"the journal is removed": func(p *place) error { return os.RemoveAll(filepath.Join(p.dir, "journal")) },
		"the segment is replaced": func(p *place) error {
			segs, err := filepath.Glob(p.file("*.seg"))
			if err != nil || len(segs) != 1 {
				return errors.Join(err, errors.New("there is not one segment"))
			}
			return errors.Join(os.Rename(segs[0], segs[0]+".old"), os.WriteFile(segs[0], nil, 0o600))
		},
		"nothing is done": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlace(t)
				j := p.openBubble(t)
				begin(t, j, aCall(t, 1))
				if move != nil {
					if err := move(p); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if err := j.Begin(t.Context(), aCall(t, 2), &policy.Outcome{Allowed: true}); (err != nil) != (move != nil) {
					t.Errorf("Begin = %v", err)
				}
				if got, want := errors.Is(j.Blocked(), audit.ErrFailed), move != nil; got != want {
					t.Errorf("Blocked = %v", j.Blocked())
				}
				if err := j.Close(); (err != nil) != (move != nil) {
					t.Errorf("Close = %v", err)
				}
			})
		})
	}
}
