package ingress

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"

	"github.com/hopgate/hopgate/mcpproxy/ws"
	"github.com/hopgate/hopgate/policy"
)

// bearerPrefix is that of a subprotocol which is a credential, for clients that can set no header.
const bearerPrefix = "bearer."

// serveWS turns one request for /ws/{upstream} into a conversation.
func (h *HTTP) serveWS(w http.ResponseWriter, r *http.Request, upstream string) {
	p := &Peer{Transport: OverWS, Remote: r.RemoteAddr, Upstream: upstream}
	reason := h.check(r, p)
	if reason == nil {
		reason = handshake(r, p)
	}
	if reason == reasonUpgrade {
		w.Header()["Upgrade"] = []string{"websocket"}
		w.Header()["Connection"] = []string{"Upgrade"}
	}
	if reason != nil {
		h.refuse(w, r, p, reason)
		return
	}
	guest := h.admit(w, r, p)
	if guest == nil {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context())) // the server knows nothing of it any more
	defer cancel()
	exit, ok := h.Lasting.enter(OverWS, cancel)
	if !ok {
		guest.End(ctx, nil)
		h.refuse(w, r, p, reasonEnding)
		return
	}
	defer exit()
	// Host and Origin are checked, by the same rules as for all others. Compression would let who can mix text of his own
	// with secrets of others guess those by the size.
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{ws.Subprotocol}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		guest.End(ctx, nil)
		return // it has been answered
	}
	h.converse(ctx, cancel, c, p, guest)
}

// handshake checks what a request for a WebSocket says of it. A credential may stand among the subprotocols, once, and
// nowhere in the address, which ends up in logs.
func handshake(r *http.Request, p *Peer) *policy.Reason {
	if r.URL.RawQuery != "" {
		return reasonQuery
	}
	if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return reasonUpgrade
	}
	offered := false
	for _, line := range r.Header["Sec-Websocket-Protocol"] {
		for part := range strings.SplitSeq(line, ",") {
			part = strings.TrimSpace(part)
			if key, ok := strings.CutPrefix(part, bearerPrefix); ok {
				if p.Credential != "" {
					return reasonCredentials
				}
				p.Credential = Credential(key)
			}
			offered = offered || part == ws.Subprotocol
		}
	}
	if !offered {
		return reasonSubprotocol
	}
	return nil
}

// converse deals with the messages of a WebSocket until it ends.
func (h *HTTP) converse(ctx context.Context, end context.CancelFunc, c *websocket.Conn, p *Peer, g Guest) {
	defer func() { _ = c.CloseNow() }() // it is closed already, where there was time to say why
	c.SetReadLimit(-1)                  // the connection's limit holds, which is asked for with each message
	w := &webSocket{c, ctx, end}
	go ws.Keep(ctx, c, end)
	d := newConversation(h.Handler, p, g, w, w)
	d.leaving = h.Lasting.leaving
	err := d.serve(ctx)
	code, text := websocket.StatusGoingAway, ""
	var unfit *unfitError
	switch {
	case errors.As(err, &unfit):
		code, text = unfit.code, unfit.text
	case errors.Is(err, errOver):
		code, text = websocket.StatusPolicyViolation, "the session has ended"
	}
	_ = c.Close(code, text) // a peer that is gone needs no farewell
}

// webSocket is the source and the sink of a conversation.
type webSocket struct {
	c   *websocket.Conn
	ctx context.Context //nolint:containedctx // the connection's life, which no message bounds
	end context.CancelFunc
}

// unfitError is why a peer is hung up on.
type unfitError struct {
	code websocket.StatusCode
	text string
}

func (e *unfitError) Error() string { return e.text }

// next reads a message. It does not heed its context: a read that is broken off would close the connection without a word.
func (w *webSocket) next(_ context.Context, into *bytes.Buffer, limit int, holds *load) error {
	into.Reset()
	kind, r, err := w.c.Reader(w.ctx)
	switch {
	case err != nil && websocket.CloseStatus(err) >= 0:
		return io.EOF
	case err != nil:
		return fmt.Errorf("reading messages: %w", err)
	case kind != websocket.MessageText:
		return &broken{reasonBinary, &unfitError{websocket.StatusUnsupportedData, "a message is not text"}}
	}
	from := &loader{load: *holds, r: r, left: int64(limit) + 1}
	n, err := into.ReadFrom(from)
	*holds = from.load
	busy := errors.Is(err, errLoad)
	if busy {
		*into = bytes.Buffer{}
		var rest int64
		rest, err = io.CopyN(io.Discard, r, from.left)
		n += rest
	}
	switch {
	case busy && errors.Is(err, io.EOF):
		return &broken{reasonBusy, nil}
	case err != nil:
		return &broken{reasonEnd, fmt.Errorf("reading messages: %w", err)}
	case n > int64(limit):
		return &broken{reasonLarge, &unfitError{websocket.StatusMessageTooBig, "a message is larger than the limit"}}
	}
	return nil
}

// ahead reports true: who reads answers pings as well.
func (*webSocket) ahead() bool { return true }

func (w *webSocket) stop() {} // the end of the conversation closes the connection

// send writes a message. A peer that does not take it in time is gone.
func (w *webSocket) send(frame []byte) error {
	ctx, cancel := context.WithTimeout(w.ctx, writeTime)
	defer cancel()
	if err := w.c.Write(ctx, websocket.MessageText, frame); err != nil {
		w.end()
		return errGone
	}
	return nil
}

func (w *webSocket) give() { _ = w.c.CloseNow() } // whoever writes learns of it
