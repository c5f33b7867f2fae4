package bridge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// ears are the one subscription by which a session hears what a server of the later era says of its own accord. They last
// as long as the session; what they listen for changes with what the client subscribes to.
type ears struct {
	l   *ToModern
	out chan []byte

	turning sync.Mutex // held while what is listened for changes
	stop    context.CancelFunc
	work    sync.WaitGroup
}

// lists are the changes of lists that a session hears of where the server declares them.
var lists = []struct{ capability, wanted string }{
	{"tools", "toolsListChanged"}, {"prompts", "promptsListChanged"}, {"resources", "resourcesListChanged"},
}

// filter is what there is to hear: raw JSON, or nothing.
func (l *ToModern) filter(uris []string) string {
	var b []byte
	capabilities, _ := wire.Lookup(l.discovered, "capabilities")
	for _, x := range lists {
		c, _ := wire.Lookup(capabilities.Value, x.capability)
		if changes, _ := wire.Lookup(c.Value, "listChanged"); string(changes.Value) == "true" {
			b = append(b, `"`+x.wanted+`":true,`...)
		}
	}
	if len(uris) > 0 {
		b = append(b, `"resourceSubscriptions":[`...)
		for _, u := range uris {
			b = append(append(b, u...), ',')
		}
		b = append(b[:len(b)-1], `],`...)
	}
	if b == nil {
		return ""
	}
	return "{" + string(b[:len(b)-1]) + "}"
}

// hears returns the ears of the session.
func (l *ToModern) hears() *ears {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ears == nil {
		l.ears = &ears{l: l, out: make(chan []byte, maxWaiting)}
	}
	return l.ears
}

// subscribe changes what is subscribed to, and answers when the server knows of it.
func (l *ToModern) subscribe(ctx context.Context, f *wire.Frame, on bool) (upstream.Stream, error) {
	e := l.hears()
	e.turning.Lock()
	defer e.turning.Unlock()
	text, ok := f.Text(wire.ParamsURI)
	if !ok {
		return l.said(failure(f.Get(wire.ID), codeParams, "Invalid params"))
	}
	uri := string(wire.AppendQuote(nil, text))
	l.mu.Lock()
	uris := slices.DeleteFunc(slices.Clone(l.uris), func(u string) bool { return u == uri })
	l.mu.Unlock()
	if on {
		uris = append(uris, uri)
	}
	if len(uris) > maxSubscribe {
		return l.said(failure(f.Get(wire.ID), codeLimit, "There are too many subscriptions in this session."))
	}
	refused, err := e.turn(ctx, l.filter(uris))
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return l.said(answer(f.Get(wire.ID), "error", refused))
	}
	l.mu.Lock()
	l.uris = uris
	l.mu.Unlock()
	return l.said(result(f.Get(wire.ID), []byte("{}")))
}

// turn listens for something else from now on. It returns when the server has acknowledged that, or the error by which it
// refuses; then everything is as it was. turning is held.
func (e *ears) turn(ctx context.Context, filter string) (refused []byte, err error) {
	if filter == "" {
		e.hush()
		return nil, nil
	}
	l := e.l
	l.mu.Lock()
	l.serial++
	id := strconv.AppendQuote(nil, "hopgate-listen-"+strconv.Itoa(l.serial))
	l.mu.Unlock()
	f, err := l.read(request(id, methodListen, `{"notifications":`+filter+`,"_meta":{`+meta(l.capabilities, l.info, nil)+`}}`), wire.FromAgent)
	if err != nil {
		return nil, err
	}
	stream, err := l.link.Send(ctx, &upstream.Outgoing{Frame: f, Protocol: modernVersion, Modern: true})
	if err != nil {
		return nil, err
	}
	in, err := stream.Next(ctx)
	switch {
	case err != nil:
		stream.Close()
		return nil, err
	case in.Frame.Kind == wire.KindError:
		refused = bytes.Clone(in.Frame.Get(wire.Error))
		stream.Close()
		return refused, nil
	case method(&in.Frame) != "notifications/subscriptions/acknowledged":
		stream.Close()
		return nil, fmt.Errorf("%w: a subscription is not acknowledged", upstream.ErrProtocol)
	}
	e.hush()
	life, stop := context.WithCancel(l.Life)
	e.stop = stop
	e.work.Go(func() { e.pump(life, stream) })
	return nil, nil
}

// hush stops listening.
func (e *ears) hush() {
	if e.stop != nil {
		e.stop()
		e.work.Wait()
		e.stop = nil
	}
}

func (e *ears) close() {
	e.turning.Lock()
	defer e.turning.Unlock()
	e.hush()
}

// pump hands on what comes. What nobody takes in time is lost, as it is where nobody listens.
func (e *ears) pump(ctx context.Context, stream upstream.Stream) {
	defer stream.Close()
	for {
		in, err := stream.Next(ctx)
		if ctx.Err() != nil {
			_ = stream.Cancel(context.WithoutCancel(ctx), "") // a server that is gone need not be told
			return
		}
		if err != nil || in.Frame.Response() {
			return
		}
		if in.Frame.Kind != wire.KindNotification {
			continue
		}
		select {
		case e.out <- unsubscribed(&in.Frame):
		default:
		}
	}
}

// unsubscribed writes a notification without the name of the subscription that it is of.
func unsubscribed(f *wire.Frame) []byte {
	m := f.Get(wire.ParamsMeta)
	if !f.Has(wire.MetaSubscriptionID) {
		return bytes.Clone(f.Raw)
	}
	rest := without(m, keySubscription)
	params := f.Get(wire.Params)
	for range wire.Entries(rest) {
		params = replace(params, "_meta", rest)
		return splice(f.Raw, wire.Edits{{At: f.Span(wire.Params), New: params}})
	}
	return splice(f.Raw, wire.Edits{{At: f.Span(wire.Params), New: without(params, "_meta")}})
}

// Listen returns what the server says of its own accord; see [upstream.Link].
func (l *ToModern) Listen(ctx context.Context) (upstream.Stream, error) {
	e := l.hears()
	e.turning.Lock()
	defer e.turning.Unlock()
	l.mu.Lock()
	uris := l.uris
	l.mu.Unlock()
	if e.stop == nil {
		// What the server refuses to tell is not told; that is no reason not to hear what it is subscribed to later.
		if _, err := e.turn(ctx, l.filter(uris)); err != nil {
			return nil, err
		}
	}
	return &heard{e}, nil
}

// heard is what a session hears.
type heard struct{ *ears }

func (h *heard) Next(ctx context.Context) (*upstream.Incoming, error) {
	select {
	case raw := <-h.out:
		in, err := h.l.incoming(raw)
		if err == nil {
			in.Event = true
		}
		return in, err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", upstream.ErrUnknownOutcome, context.Cause(ctx))
	case <-h.l.link.Done():
		return nil, io.ErrUnexpectedEOF
	}
}

func (*heard) Cancel(context.Context, string) error { return nil }

func (*heard) Close() {}
