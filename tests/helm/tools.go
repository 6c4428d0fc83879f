
// Package helm pins the helm that tests/chart renders and installs with.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
