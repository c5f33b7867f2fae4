// Command pipe connects its standard streams with a TCP address, so that a test can be the child of a proxy without
// leaving its own process.
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func main() {
	c, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(c, os.Stdin) // the end of either side is the end
		os.Exit(0)
	}()
	_, _ = io.Copy(os.Stdout, c)
}
