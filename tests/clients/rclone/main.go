// rclone with its S3 backend alone: the commands that list and read, and none of the other sixty backends.
package main

import (
	_ "github.com/rclone/rclone/backend/s3"
	"github.com/rclone/rclone/cmd"
	_ "github.com/rclone/rclone/cmd/lsf"
)

func main() { cmd.Main() }
