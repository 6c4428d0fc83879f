// One question to STS with whatever credentials the first AWS SDK for Go finds. It is at its end
// of life, and still in thousands of images.
//
// usage: whoami caller-identity | session-token | assume-role ROLE [POLICY] | web-identity ROLE TOKEN_FILE
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input:
// an empty one asks the same again, another has the next question's words with tabs between.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
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
		fmt.Fprintln(os.Stderr, "usage: whoami caller-identity | session-token | assume-role ROLE [POLICY] | web-identity ROLE TOKEN_FILE")
		os.Exit(2)
	}
	// It knows no AWS_ENDPOINT_URL_STS.
	settings := aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL_STS"))
	client := sts.New(session.Must(session.NewSession(settings)))
	words := os.Args[1:]
	use(client, words)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if lines.Text() != "" {
			words = strings.Split(lines.Text(), "\t")
		}
		use(client, words)
	}
}

func use(client *sts.STS, words []string) {
	started := time.Now()
	arn, err := ask(client, words)
	answer := line{Arn: arn, Ms: time.Since(started).Milliseconds()}
	if err != nil {
		answer.Error = tell(err)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}

func ask(client *sts.STS, words []string) (string, error) {
	name := aws.String("whoami")
	switch words[0] {
	case "caller-identity":
		answer, err := client.GetCallerIdentity(&sts.GetCallerIdentityInput{})
		if err != nil {
			return "", err
		}
		return aws.StringValue(answer.Arn), nil
	case "session-token":
		answer, err := client.GetSessionToken(&sts.GetSessionTokenInput{})
		if err != nil {
			return "", err
		}
		return aws.StringValue(answer.Credentials.AccessKeyId)[:4], nil
	case "assume-role":
		input := &sts.AssumeRoleInput{RoleArn: &words[1], RoleSessionName: name}
		if len(words) > 2 {
			input.Policy = &words[2]
		}
		answer, err := client.AssumeRole(input)
		if err != nil {
			return "", err
		}
		return aws.StringValue(answer.AssumedRoleUser.Arn), nil
	case "web-identity":
		token, err := os.ReadFile(words[2])
		if err != nil {
			return "", err
		}
		answer, err := client.AssumeRoleWithWebIdentity(&sts.AssumeRoleWithWebIdentityInput{
			RoleArn: &words[1], RoleSessionName: name, WebIdentityToken: aws.String(string(token)),
		})
		if err != nil {
			return "", err
		}
		return aws.StringValue(answer.AssumedRoleUser.Arn), nil
	}
	return "", fmt.Errorf("no command %s", words[0])
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
