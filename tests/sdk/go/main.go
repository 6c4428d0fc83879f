// One question to STS with whatever credentials the AWS SDK for Go finds.
//
// usage: whoami caller-identity | assume-role ROLE | web-identity ROLE TOKEN_FILE
//
// Prints one line of JSON, and one more, asked by the same client, for each line on standard input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
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
	ctx := context.Background()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	client := sts.NewFromConfig(settings)
	use(ctx, client)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		use(ctx, client)
	}
}

func use(ctx context.Context, client *sts.Client) {
	started := time.Now()
	arn, err := ask(ctx, client)
	answer := line{Arn: arn, Ms: time.Since(started).Milliseconds()}
	if err != nil {
		answer.Error = tell(err)
	}
	json.NewEncoder(os.Stdout).Encode(answer)
}

func ask(ctx context.Context, client *sts.Client) (string, error) {
	session := aws.String("whoami")
	switch os.Args[1] {
	case "caller-identity":
		answer, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.Arn), nil
	case "assume-role":
		answer, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{
			RoleArn: &os.Args[2], RoleSessionName: session,
		})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.AssumedRoleUser.Arn), nil
	case "web-identity":
		token, err := os.ReadFile(os.Args[3])
		if err != nil {
			return "", err
		}
		answer, err := client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: &os.Args[2], RoleSessionName: session, WebIdentityToken: aws.String(string(token)),
		})
		if err != nil {
			return "", err
		}
		return aws.ToString(answer.AssumedRoleUser.Arn), nil
	}
	return "", fmt.Errorf("no command %s", os.Args[1])
}

func tell(err error) *told {
	answer := &told{Class: fmt.Sprintf("%T", err), Message: err.Error()}
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
