// Package workflows pins what checks the GitHub workflows.
package workflows

import _ "github.com/rhysd/actionlint/cmd/actionlint"
