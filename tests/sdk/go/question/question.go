// Package question is what the programs with both SDKs for Go share: the words that ask, and the line of JSON that answers.
package question

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

const usage = "usage: whoami caller-identity | session-token | assume-role ROLE [POLICY] | web-identity ROLE TOKEN_FILE"

// SDKError is an SDK's error.
type SDKError struct {
	Class   string `json:"class"`
	Code    string `json:"code,omitempty"`
	Status  int    `json:"status,omitempty"`
	Message string `json:"message"`
}

type line struct {
	Arn   string    `json:"arn,omitempty"`
	Error *SDKError `json:"error,omitempty"`
	Ms    int64     `json:"ms"`
}

// Needed ends the program where no question was given.
func Needed() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
}

// Ask puts the question of the command line, and one more for each line on standard input: an empty
// one asks the same again, another has the next question's words with tabs between.
func Ask(ask func(words []string) (string, error), tell func(error) *SDKError) {
	words := os.Args[1:]
	once(words, ask, tell)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if lines.Text() != "" {
			words = strings.Split(lines.Text(), "\t")
		}
		once(words, ask, tell)
	}
}

func once(words []string, ask func([]string) (string, error), tell func(error) *SDKError) {
	started := time.Now()
	arn, err := ask(words)
	answer := line{Arn: arn, Ms: time.Since(started).Milliseconds()}
	if err != nil {
		answer.Error = tell(err)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}
