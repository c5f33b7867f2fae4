//go:build !unix

package upstream

import (
	"errors"

	"github.com/hopgate/hopgate/mcpproxy/upstream/sandbox"
)

func startProcess([]string, []string, string, *sandbox.Rules) (*process, error) {
	return nil, errors.New("children cannot be started on this system")
}

func (p *process) terminate() {}
func (p *process) kill()      {}
