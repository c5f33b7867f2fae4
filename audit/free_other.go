//go:build !linux && !darwin

package audit

import "errors"

func free(string) (uint64, error) { return 0, errors.ErrUnsupported }
