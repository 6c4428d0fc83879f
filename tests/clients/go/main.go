// One use of AWS by a Go client that is not an AWS SDK, or that is built on one.
//
// usage: ask minio-go | gocloud | msk-go
//
// minio-go and gocloud read an object of the bucket "clients". msk-go prints the token that it would send to Kafka.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-msk-iam-sasl-signer-go/signer"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob"
)

const (
	bucket = "clients"
	object = "a.csv"
)

func main() {
	answer, err := ask(context.Background(), os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(answer)
}

func ask(ctx context.Context, client string) (string, error) {
	region := os.Getenv("AWS_REGION")
	switch client {
	case "minio-go":
		found, err := minio.New("s3."+region+".amazonaws.com", &minio.Options{
			Creds: credentials.NewIAM(""), Secure: true, Region: region,
		})
		if err != nil {
			return "", err
		}
		read, err := found.GetObject(ctx, bucket, object, minio.GetObjectOptions{})
		if err != nil {
			return "", err
		}
		text, err := io.ReadAll(read)
		return string(text), err
	case "gocloud":
		opened, err := blob.OpenBucket(ctx, "s3://"+bucket)
		if err != nil {
			return "", err
		}
		defer opened.Close()
		text, err := opened.ReadAll(ctx, object)
		return string(text), err
	case "msk-go":
		token, _, err := signer.GenerateAuthToken(ctx, region)
		return token, err
	}
	return "", fmt.Errorf("no client %s", client)
}
