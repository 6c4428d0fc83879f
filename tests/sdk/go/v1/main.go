// One question to STS with whatever credentials the first AWS SDK for Go finds. It is at its end
// of life, and still in thousands of images.
//
// usage: whoami caller-identity | session-token | assume-role ROLE [POLICY] | web-identity ROLE TOKEN_FILE
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input.
package main

import (
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/sts"

	"podrole.test/sdk/question"
)

func main() {
	question.Needed()
	// It knows no AWS_ENDPOINT_URL_STS.
	settings := aws.NewConfig().WithEndpoint(os.Getenv("AWS_ENDPOINT_URL_STS"))
	client := sts.New(session.Must(session.NewSession(settings)))
	question.Ask(func(words []string) (string, error) { return ask(client, words) }, tell)
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

// A provider wraps STS's error; the wrapped one is reported.
func tell(err error) *question.SDKError {
	answer := &question.SDKError{Class: fmt.Sprintf("%T", err), Message: err.Error()}
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
