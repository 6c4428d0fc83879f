// One question to STS with whatever credentials the first AWS SDK for Go finds. It is at its end
// of life, and still in thousands of images.
//
// usage: whoami caller-identity | assume-role ROLE | web-identity ROLE TOKEN_FILE
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input.
package main

import (
	"bufio"
	"encoding/json"
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
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: whoami caller-identity | assume-role ROLE | web-identity ROLE TOKEN_FILE")
		os.Exit(2)
	}
	// It knows no AWS_ENDPOINT_URL_STS.
	settings := aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL_STS"))
	client := sts.New(session.Must(session.NewSession(settings)))
	use(client)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		use(client)
	}
}

func use(client *sts.STS) {
	started := time.Now()
	arn, err := ask(client)
	answer := line{Arn: arn, Ms: time.Since(started).Milliseconds()}
	if err != nil {
		answer.Error = tell(err)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}

func ask(client *sts.STS) (string, error) {
	name := aws.String("whoami")
	switch os.Args[1] {
	case "caller-identity":
		answer, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
		if err != nil {
			return "", err
		}
		return aws.StringValue(answer.Arn), nil
	case "assume-role":
		answer, err := client.AssumeRole(&sts.AssumeRoleInput{RoleArn: &os.Args[2], RoleSessionName: name})
		if err != nil {
			return "", err
		}
		return aws.StringValue(answer.AssumedRoleUser.Arn), nil
	case "web-identity":
		token, err := os.ReadFile(os.Args[3])
		if err != nil {
			return "", err
		}
		answer, err := client.AssumeRoleWithWebIdentity(&sts.AssumeRoleWithWebIdentityInput{
			RoleArn: &os.Args[2], RoleSessionName: name, WebIdentityToken: aws.String(string(token)),
		})
		if err != nil {
			return "", err
		}
		return aws.StringValue(answer.AssumedRoleUser.Arn), nil
	}
	return "", fmt.Errorf("no command %s", os.Args[1])
}

// A provider wraps what STS said; that is told.
func tell(err error) *told {
	answer := &told{Class: fmt.Sprintf("%T", err), Message: err.Error()}
	for err != nil {
		known, ok := err.(awserr.Error)
		if !ok {
			break
		}
		answer.Class, answer.Code = fmt.Sprintf("%T", known), known.Code()
		if failed, ok := known.(awserr.RequestFailure); ok {
			answer.Status = failed.StatusCode()
			break
		}
		err = known.OrigErr()
	}
	return answer
}
