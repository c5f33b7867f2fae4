// Command through stands in the place of a client that the official suite examines. It tells the test at CONTROL the
// address of the suite's server, which comes last, and runs the client with the address VIA, which leads there through Hopgate.
//
//	through CONTROL VIA CLIENT URL
package main

import (
	"log"
	"net/http"
	"os"
	"os/exec"
	"strings"
)

func main() {
	control, via, client, url := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	resp, err := http.Post(control, "text/plain", strings.NewReader(url))
	if err != nil {
		log.Fatal(err)
	}
	if resp.StatusCode != http.StatusNoContent {
		log.Fatalf("the test answers %s", resp.Status)
	}
	cmd := exec.Command(client, via)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		log.Fatal(err)
	}
}
