package configs

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"
)

// settleTime is how long a file must be left alone before it counts as written.
const settleTime = 250 * time.Millisecond

// maxLinks bounds the symbolic links on the way to a file, as kernels do.
const maxLinks = 40

// Watch says when the file at a path may have changed: one value on the channel, [settleTime] after the last sign of it.
// Values that nobody takes become one. It sees files that are written in place, replaced by a rename, and reached through
// symbolic links that are exchanged, at any step of the path. The channel is closed when ctx ends; nothing runs on then.
func Watch(ctx context.Context, path string, log zerolog.Logger) (<-chan struct{}, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("watching %q: %w", path, err)
	}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching %q: %w", path, err)
	}
	w := &watch{path: whole, notify: notify, log: log, changed: make(chan struct{}, 1)}
	if err := w.follow(); err != nil {
		_ = notify.Close() // the first error is the one that matters
		return nil, fmt.Errorf("watching %q: %w", path, err)
	}
	go w.run(ctx)
	return w.changed, nil
}

// watch follows one path. Only its goroutine uses it.
type watch struct {
	path    string
	notify  *fsnotify.Watcher
	log     zerolog.Logger
	names   map[string]bool // every link on the way, and the file itself
	changed chan struct{}
}

func (w *watch) run(ctx context.Context) {
	defer close(w.changed)
	defer func() { _ = w.notify.Close() }() // nothing is lost with it
	w.merge(ctx, w.notify.Events, w.notify.Errors, w.follow)
}

// merge makes one value of all signs that come close together, and calls follow before each. It returns when ctx ends or
// there are no more events.
func (w *watch) merge(ctx context.Context, events <-chan fsnotify.Event, problems <-chan error, follow func() error) {
	timer := time.NewTimer(settleTime)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-events:
			if !ok {
				return
			}
			if w.names[e.Name] && e.Op != fsnotify.Chmod {
				timer.Reset(settleTime)
			}
		case err, ok := <-problems:
			if !ok {
				return
			}
			w.log.Warn().Err(err).Msg("changes of the configuration may have been missed")
			timer.Reset(settleTime)
		case <-timer.C:
			if err := follow(); err != nil {
				w.log.Warn().Err(err).Msg("the configuration is not watched fully")
			}
			select {
			case w.changed <- struct{}{}:
			default: // one is waiting already
			}
		}
	}
}

// follow finds the names on the way to the file, and watches the folders that they are in. A file that is not there is no
// error: it may be about to come back.
func (w *watch) follow() error {
	names, err := steps(w.path)
	if err != nil {
		return err
	}
	folders := make(map[string]bool, len(names))
	w.names = make(map[string]bool, len(names))
	for _, name := range names {
		w.names[name] = true
		folders[filepath.Dir(name)] = true
	}
	for folder := range folders {
		if err := w.notify.Add(folder); err != nil { // adding twice does nothing
			return fmt.Errorf("folder %q: %w", folder, err)
		}
	}
	for _, folder := range w.notify.WatchList() {
		if !folders[folder] {
			_ = w.notify.Remove(folder) // it may be gone already
		}
	}
	return nil
}

// steps returns every symbolic link that a path leads through, and the file at its end, all absolute and without links in
// their folders.
func steps(path string) ([]string, error) {
	var names []string
	done, rest := string(filepath.Separator), path
	for links := 0; ; {
		first, after, more := strings.Cut(strings.TrimLeft(rest, string(filepath.Separator)), string(filepath.Separator))
		step := filepath.Join(done, first)
		target, err := os.Readlink(step)
		switch {
		case err == nil:
			if links++; links > maxLinks {
				return nil, &fs.PathError{Op: "follow", Path: path, Err: fs.ErrInvalid}
			}
			names = append(names, step)
			rest = target + string(filepath.Separator) + after
			if filepath.IsAbs(target) {
				done = string(filepath.Separator)
			}
		case !more || strings.Trim(after, string(filepath.Separator)) == "":
			return append(names, step), nil
		default:
			done, rest = step, after
		}
	}
}
