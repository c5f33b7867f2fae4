package audit_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hopgate/hopgate/audit"
)

func TestBallastIsMadeWhereThereIsRoom(t *testing.T) {
	const reserve = 1 << 20
	for name, c := range map[string]struct {
		free    uint64
		without bool
		want    bool
	}{
		"room":           {free: 3 * reserve, want: true},
		"too little":     {free: 3*reserve - 1},
		"not configured": {free: 1 << 40, without: true},
	} {
		t.Run(name, func(t *testing.T) {
			p, files := newPlace(t), newFaultyFiles(0, noFault)
			files.free = c.free
			p.config.Files, p.config.Reserve, p.config.Ballast = files, reserve, !c.without
			j := p.open(t)
			info, err := os.Stat(filepath.Join(p.dir, "ballast"))
			if got := err == nil && info.Size() == reserve && info.Mode().Perm() == 0o600; got != c.want {
				t.Errorf("there is ballast: %v (%v), want %v", got, err, c.want)
			}
			freed, err := audit.Recover(p.dir)
			if err != nil || (freed == reserve) != c.want {
				t.Errorf("Recover = %d, %v", freed, err)
			}
			if freed, err := audit.Recover(p.dir); err != nil || freed != 0 {
				t.Errorf("Recover once more = %d, %v", freed, err)
			}
			mustClose(t, j)
		})
	}
}

func TestADiskThatIsFullIsOpenedWithoutItsBallast(t *testing.T) {
	files := newFaultyFiles(0, noFault)
	p := newPlace(t)
	p.config.Files, p.config.Reserve, p.config.Ballast = files, 1<<20, true
	mustClose(t, p.open(t))
	files.free = 1000
	if j, err := audit.Open(t.Context(), p.config); err == nil {
		mustClose(t, j)
		t.Fatal("opened on a full disk")
	}
	freed, err := audit.Recover(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	files.free += uint64(freed)
	j := p.open(t)
	begin(t, j, aCall(t, 1))
	if _, err := os.Stat(filepath.Join(p.dir, "ballast")); err == nil {
		t.Error("the ballast is made anew on a disk that is nearly full")
	}
	mustClose(t, j)
}
