// Package ws says what MCP over WebSocket is for both ends: the subprotocol, and how often a peer is asked whether it is
// there.
//
// It opens no connection and reads no message: what a peer is told that does something else differs between the agents' side
// and the servers'.
package ws

import (
	"context"
	"time"

	"github.com/coder/websocket"
)

// Subprotocol is what both ends agree on. MCP over WebSocket is no transport of the specification, which lets peers agree
// on one of their own: one message per text frame. What is said of standard streams there holds here.
const Subprotocol = "mcp"

const (
	pingEvery = 15 * time.Second // so that nothing on the way takes the connection for dead
	pongTime  = 30 * time.Second // for the peer to answer
)

// Keep asks the peer from time to time whether it is there, until ctx ends, and calls gone when it is not. Somebody must be
// reading from c meanwhile.
func Keep(ctx context.Context, c *websocket.Conn, gone func()) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, pongTime)
		err := c.Ping(limited)
		cancel()
		if err != nil {
			gone()
			return
		}
	}
}
