// Who am I, by the AWS SDK for Go v1. usage: whoami-v1
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"
)

type line struct {
	Arn   string `json:"arn,omitempty"`
	Error *told  `json:"error,omitempty"`
	Ms    int64  `json:"ms"`
}

type told struct {
	Class   string `json:"class"`
	Code    string `json:"code,omitempty"`
	Status  int    `json:"status,omitempty"`
	Message string `json:"message"`
}

func main() {
	settings, err := session.NewSession()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	client := sts.New(settings)
	use(client)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		use(client)
	}
}

func use(client *sts.STS) {
	started := time.Now()
	answer := line{}
	if given, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{}); err != nil {
		answer.Error = tell(err)
	} else {
		answer.Arn = aws.StringValue(given.Arn)
	}
	answer.Ms = time.Since(started).Milliseconds()
	json.NewEncoder(os.Stdout).Encode(answer)
}

func tell(err error) *told {
	answer := &told{Class: fmt.Sprintf("%T", err), Message: err.Error()}
	var modelled awserr.Error
	if errors.As(err, &modelled) {
		answer.Code = modelled.Code()
	}
	var failure awserr.RequestFailure
	if errors.As(err, &failure) {
		answer.Status = failure.StatusCode()
	}
	return answer
}
