// Package coredns pins the DNS server of the test node. It has a module of its own: its dependencies
// and Kubernetes' disagree.
package coredns

import _ "github.com/coredns/coredns"
