package configs

import (
	"context"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"
)

// TestOnlyMerge says when the file at a path has changed, of which signs come on a channel.
var TestOnlyMerge = func(ctx context.Context, path string, events <-chan fsnotify.Event) <-chan struct{} {
	w := &watch{names: map[string]bool{path: true}, log: zerolog.Nop(), changed: make(chan struct{}, 1)}
	go w.merge(ctx, events, nil, func() error { return nil })
	return w.changed
}
