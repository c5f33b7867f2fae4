package configs_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/hopgate/hopgate/configs"
)

// patience is how long a sign of a change may take. settled is more than the time that a file must be left alone.
const (
	patience = 10 * time.Second
	settled  = 400 * time.Millisecond
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func awaitChange(t *testing.T, changed <-chan struct{}) {
	t.Helper()
	select {
	case _, ok := <-changed:
		if !ok {
			t.Fatal("the channel is closed")
		}
	case <-time.After(patience):
		t.Fatal("the change was not seen")
	}
}

// noChange waits long enough for a change to be seen, and fails where one is. Nothing may have been changed before.
func noChange(t *testing.T, watched map[string]<-chan struct{}) {
	t.Helper()
	<-time.After(settled)
	for name, changed := range watched {
		select {
		case <-changed:
			t.Errorf("%s: a change was seen that was none", name)
		default:
		}
	}
}

// calm takes what is seen of changes that are done, until no more is. One that takes long may be seen more than once.
func calm(t *testing.T, watched map[string]<-chan struct{}) {
	t.Helper()
	for end, more := time.Now().Add(patience), true; more; {
		time.Sleep(settled)
		more = false
		for name, changed := range watched {
			select {
			case <-changed:
				more = true
				if time.Now().After(end) {
					t.Fatalf("%s: changes are seen for ever", name)
				}
			default:
			}
		}
	}
}

func TestWatchSeesHowPeopleChangeFiles(t *testing.T) {
	cases := map[string]struct {
		set    func(t *testing.T, dir, path string)
		change func(t *testing.T, dir, path string)
	}{
		"in place": {nil, func(t *testing.T, _, path string) { t.Helper(); write(t, path, "b") }},
		"by a rename": {nil, func(t *testing.T, dir, path string) {
			t.Helper()
			write(t, filepath.Join(dir, ".tmp"), "b")
			must(t, os.Rename(filepath.Join(dir, ".tmp"), path))
		}},
		"moved away and written anew": {nil, func(t *testing.T, _, path string) {
			t.Helper()
			must(t, os.Rename(path, path+"~"))
			write(t, path, "b")
		}},
		"removed and made again": {nil, func(t *testing.T, _, path string) {
			t.Helper()
			must(t, os.Remove(path))
			write(t, path, "b")
		}},
		"as a ConfigMap": {
			func(t *testing.T, dir, path string) {
				t.Helper()
				must(t, os.Remove(path))
				must(t, os.Mkdir(filepath.Join(dir, "..1"), 0o700))
				write(t, filepath.Join(dir, "..1", "hopgate.yaml"), "a")
				must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
				must(t, os.Symlink(filepath.Join("..data", "hopgate.yaml"), path))
			},
			func(t *testing.T, dir, _ string) {
				t.Helper()
				old, err := os.Readlink(filepath.Join(dir, "..data"))
				must(t, err)
				must(t, os.Mkdir(filepath.Join(dir, old+"1"), 0o700))
				write(t, filepath.Join(dir, old+"1", "hopgate.yaml"), "b")
				must(t, os.Symlink(old+"1", filepath.Join(dir, "..tmp")))
				must(t, os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")))
				must(t, os.RemoveAll(filepath.Join(dir, old)))
			},
		},
		"behind a link to another folder": {
			func(t *testing.T, dir, path string) {
				t.Helper()
				must(t, os.Mkdir(filepath.Join(dir, "real"), 0o700))
				must(t, os.Rename(path, filepath.Join(dir, "real", "h.yaml")))
				must(t, os.Symlink(filepath.Join(dir, "real", "..", "real", "h.yaml"), path))
			},
			func(t *testing.T, dir, _ string) { t.Helper(); write(t, filepath.Join(dir, "real", "h.yaml"), "b") },
		},
	}
	// All at once, because what takes the time is waiting.
	ctx, cancel := context.WithCancel(t.Context())
	dirs, watched := map[string]string{}, map[string]<-chan struct{}{}
	for name, c := range cases {
		dir := t.TempDir()
		path := filepath.Join(dir, "hopgate.yaml")
		write(t, path, "a")
		if c.set != nil {
			c.set(t, dir, path)
		}
		changed, err := configs.Watch(ctx, path, zerolog.Nop())
		must(t, err)
		dirs[name], watched[name] = dir, changed
		write(t, filepath.Join(dir, "other.yaml"), "x")
	}
	noChange(t, watched)
	for range 2 { // the second time with what the first has left
		for name, c := range cases {
			c.change(t, dirs[name], filepath.Join(dirs[name], "hopgate.yaml"))
		}
		for name, changed := range watched {
			t.Log(name)
			awaitChange(t, changed)
		}
		calm(t, watched)
	}
	cancel()
	for _, changed := range watched {
		for range changed { // it is closed
		}
	}
}

// TestWatchTakesManySignsForOne is without a file: on a slow machine there may be time between any two writes.
func TestWatchTakesManySignsForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := make(chan fsnotify.Event)
		changed := configs.TestOnlyMerge(ctx, "h.yaml", events)
		seen := func() (n int) {
			synctest.Wait()
			for len(changed) > 0 {
				<-changed
				n++
			}
			return n
		}
		for range 2 {
			for range 50 {
				time.Sleep(200 * time.Millisecond)
				events <- fsnotify.Event{Name: "h.yaml", Op: fsnotify.Write}
			}
			if n := seen(); n != 0 {
				t.Errorf("%d changes were seen before the file was left alone", n)
			}
			time.Sleep(300 * time.Millisecond)
			if n := seen(); n != 1 {
				t.Errorf("%d changes were seen, want 1", n)
			}
			events <- fsnotify.Event{Name: "h.yaml", Op: fsnotify.Chmod}
			events <- fsnotify.Event{Name: "other.yaml", Op: fsnotify.Write}
			time.Sleep(time.Hour)
			if n := seen(); n != 0 {
				t.Errorf("%d changes were seen that were none", n)
			}
		}
	})
}

func TestWatchFollowsAFileThatComesLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hopgate.yaml")
	changed, err := configs.Watch(t.Context(), path, zerolog.Nop())
	must(t, err)
	write(t, path, "a")
	awaitChange(t, changed)
}

func TestWatchLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := filepath.Join(t.TempDir(), "hopgate.yaml")
	write(t, path, "a")
	ctx, cancel := context.WithCancel(t.Context())
	changed, err := configs.Watch(ctx, path, zerolog.Nop())
	must(t, err)
	write(t, path, "b") // it ends in the middle of waiting
	cancel()
	for range changed {
	}
}

func TestWatchRefusesWhatLeadsNowhere(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("b", filepath.Join(dir, "a")))
	must(t, os.Symlink("a", filepath.Join(dir, "b")))
	for _, path := range []string{filepath.Join(dir, "a"), filepath.Join(dir, "nowhere", "hopgate.yaml")} {
		if _, err := configs.Watch(t.Context(), path, zerolog.Nop()); err == nil {
			t.Errorf("%s is watched", path)
		}
	}
}
