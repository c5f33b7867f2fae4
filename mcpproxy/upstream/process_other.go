//go:build !unix

package upstream

import "errors"

func startProcess([]string, []string, string) (*process, error) {
	return nil, errors.New("children cannot be started on this system")
}

func (p *process) terminate() {}
func (p *process) kill()      {}
