// Command reference writes docs/reference.md: every option of the configuration,
// made from the doc comments of the exported configuration structs, so that the
// manual and the code cannot say different things. In the root of the repository:
//
//	go generate .
package main

import (
	"fmt"
	"os"
)

func main() {
	text, err := reference(".")
	if err == nil {
		err = os.WriteFile("docs/reference.md", text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "writing the reference:", err)
		os.Exit(1)
	}
}
