// One question to STS with whatever credentials the AWS SDK for Go finds.
//
// usage: whoami caller-identity | session-token | assume-role ROLE [POLICY] | web-identity ROLE TOKEN_FILE
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"podrole.test/sdk/question"
)

func main() {
	question.Needed()
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	client := sts.NewFromConfig(settings)
	question.Ask(func(words []string) (string, error) { return ask(ctx, client, words) }, tell)
}

func ask(ctx context.Context, client *sts.Client, words []string) (string, error) {
	session := aws.String("whoami")
	switch words[0] {
	case "caller-identity":
		answer, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.Arn), nil
	case "session-token":
		answer, err := client.GetSessionToken(ctx, &sts.GetSessionTokenInput{})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.Credentials.AccessKeyId)[:4], nil
	case "assume-role":
		input := &sts.AssumeRoleInput{RoleArn: &words[1], RoleSessionName: session}
		if len(words) > 2 {
			input.Policy = &words[2]
		}
		answer, err := client.AssumeRole(ctx, input)
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.AssumedRoleUser.Arn), nil
	case "web-identity":
		token, err := os.ReadFile(words[2])
		if err != nil {
			return "", err
		}
		answer, err := client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: &words[1], RoleSessionName: session, WebIdentityToken: aws.String(string(token)),
		})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.AssumedRoleUser.Arn), nil
	}
	return "", fmt.Errorf("no command %s", words[0])
}

func tell(err error) *question.SDKError {
	answer := &question.SDKError{Class: fmt.Sprintf("%T", err), Message: err.Error()}
	var modelled smithy.APIError
	if errors.As(err, &modelled) {
		answer.Class, answer.Code = fmt.Sprintf("%T", modelled), modelled.ErrorCode()
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) {
		answer.Status = response.HTTPStatusCode()
	}
	return answer
}
