package main

import "testing"

func TestMemoryIsGivenBackOnceLoadHasPassed(t *testing.T) {
	const much = 1 << 40 // more than this process has
	times := 0
	var r rest
	look := func(allocated, resident uint64) { r.look(memory{allocated, resident}, func() { times++ }) }

	look(10<<20, much)
	if times != 0 {
		t.Fatal("memory was given back although 10 MB were allocated since the last look")
	}
	look(10<<20+1, much)
	if times != 1 {
		t.Fatal("memory was not given back at rest")
	}
	look(r.before.allocated, r.floor+restWorth-1)
	if times != 1 {
		t.Fatal("memory was given back where there is little to give")
	}
	look(r.before.allocated+restBusy, much)
	look(r.before.allocated, much)
	if times != 2 {
		t.Fatal("memory was not given back after the next load")
	}
}
