package bridge

import (
	"bytes"
	"context"
	"fmt"

	"github.com/hopgate/hopgate/mcpproxy/upstream"
	"github.com/hopgate/hopgate/mcpproxy/wire"
)

// subscription is subscriptions/listen over a server that knows sessions alone. It has a session of its own, so that what
// it subscribes to ends with it.
type subscription struct {
	t      *talk
	id     []byte // of the request, raw
	inner  upstream.Stream
	wants  map[string]bool // methods of changed lists
	uris   map[string]bool
	first  []byte // the acknowledgement, until it is taken
	silent bool   // the server has nothing to say
}

// changes are the notifications that a filter names.
var changes = map[string]string{
	"toolsListChanged": "notifications/tools/list_changed", "promptsListChanged": "notifications/prompts/list_changed",
	"resourcesListChanged": "notifications/resources/list_changed",
}

// listen opens a subscription.
func (l *ToLegacy) listen(ctx context.Context, f *wire.Frame) (upstream.Stream, error) {
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		return nil, errGone
	}
	link, err := l.Open(ctx)
	if err != nil {
		return nil, err
	}
	s := &subscription{
		t:  &talk{l: l, link: link, info: string(f.Get(wire.MetaClientInfo)), calls: map[*legacyCall]struct{}{}},
		id: bytes.Clone(f.Get(wire.ID)), wants: map[string]bool{}, uris: map[string]bool{},
	}
	refused, err := s.begin(ctx, f.Get(wire.ParamsNotifications))
	switch {
	case err != nil:
		l.closeLink(link)
		return nil, err
	case refused != nil:
		l.closeLink(link)
		return l.said(answer(s.id, "error", refused))
	}
	return s, nil
}

// begin subscribes to what a filter names. It returns the error by which the server refuses.
func (s *subscription) begin(ctx context.Context, filter []byte) (refused []byte, err error) {
	if err := s.t.greet(ctx); err != nil {
		return nil, err
	}
	for e := range wire.Entries(filter) {
		name, _ := wire.Unquote(e.Name)
		if m := changes[string(name)]; m != "" && string(e.Value) == "true" {
			s.wants[m] = true
		}
		if string(name) != "resourceSubscriptions" {
			continue
		}
		for _, raw := range wire.Elements(e.Value) {
			f, err := s.t.l.read(request([]byte(`"hopgate-`+s.t.l.next()+`"`), methodSubscribe, `{"uri":`+string(raw)+`}`), wire.FromAgent)
			if err != nil {
				return nil, err
			}
			in, err := ask(ctx, s.t.link, &upstream.Outgoing{Frame: f, Protocol: s.t.version})
			if err != nil {
				return nil, err
			}
			if in.Frame.Kind == wire.KindError {
				return in.Frame.Get(wire.Error), nil
			}
			text, _ := wire.Unquote(raw)
			s.uris[string(text)] = true
		}
	}
	// A server that has nothing to say but answers is silent; that is no error.
	if s.inner, err = s.t.link.Listen(ctx); err != nil {
		s.silent = true
	}
	s.first = notification("notifications/subscriptions/acknowledged",
		`{"_meta":{"`+keySubscription+`":`+string(s.id)+`},"notifications":`+string(filter)+`}`)
	return nil, nil
}

// Next returns the next notification; see [upstream.Stream].
func (s *subscription) Next(ctx context.Context) (*upstream.Incoming, error) {
	if raw := s.first; raw != nil {
		s.first = nil
		return s.event(raw)
	}
	if s.silent {
		select {
		case <-ctx.Done():
		case <-s.t.link.Done():
		case <-s.t.l.done:
		}
		return nil, fmt.Errorf("%w: the subscription has ended", upstream.ErrUnknownOutcome)
	}
	for {
		in, err := s.inner.Next(ctx)
		if err != nil {
			return nil, unknown(err)
		}
		f := &in.Frame
		switch name := method(f); {
		case f.Kind == wire.KindRequest:
			s.t.refuse(ctx, f)
		case f.Kind == wire.KindNotification && (s.wants[name] || name == methodUpdated && s.uris[f.String(wire.ParamsURI)]):
			return s.event(s.tagged(f))
		}
	}
}

// tagged is a notification that names the subscription.
func (s *subscription) tagged(f *wire.Frame) []byte {
	tag := `"` + keySubscription + `":` + string(s.id)
	params := f.Get(wire.Params)
	if !isObject(params) {
		params = []byte("{}")
	}
	if m, ok := wire.Lookup(params, "_meta"); ok && isObject(m.Value) {
		params = replace(params, "_meta", with(without(m.Value, keySubscription), tag))
	} else {
		params = with(without(params, "_meta"), `"_meta":{`+tag+`}`)
	}
	return join(`{"jsonrpc":"2.0","method":`, f.Get(wire.Method), `,"params":`, params, `}`)
}

func (s *subscription) event(raw []byte) (*upstream.Incoming, error) {
	in, err := s.t.l.incoming(raw)
	if err == nil {
		in.Event = true
	}
	return in, err
}

// Cancel does nothing: closing ends the session, and with it what it has subscribed to.
func (*subscription) Cancel(context.Context, string) error { return nil }

// Close ends the session.
func (s *subscription) Close() {
	if s.inner != nil {
		s.inner.Close()
	}
	s.t.l.closeLink(s.t.link)
}
