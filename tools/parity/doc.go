// Package parity asks whether the detectors of secrets miss anything that gitleaks finds in the texts that its own rules are
// proved with. It is a module of its own, for tests only: nothing of gitleaks comes into the product, and nothing of its
// texts into this repository.
package parity
