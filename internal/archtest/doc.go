// Package archtest holds the rules of ARCHITECTURE.md as tests: who may import
// whom, what the domain must not touch, and how long files and functions may
// be. It has no code of its own.
package archtest
