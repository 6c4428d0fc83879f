{{/*
Values that contradict each other, which a schema cannot report in a sentence. Each message says how to fix it.
*/}}
{{- define "podrole.check" -}}
{{- $values := .Values -}}
{{- if not $values.region }}
{{- fail "\n\nregion is missing: set the region whose STS the agent calls (--set region=eu-west-1)" }}
{{- end }}
{{- if and (eq $values.exchange "assume-role") (not $values.associationObjects.enabled) (not $values.associations) (not $values.agent.allowAnnotationRoles) }}
{{- fail "\n\nexchange: assume-role takes roles from associations: set associationObjects.enabled=true, or `associations` (--set-json 'associations=[{\"namespace\":...,\"serviceAccount\":...,\"roleArn\":...}]'), or agent.allowAnnotationRoles: true with podrole.io/permitted-roles on the namespaces" }}
{{- end }}
{{- if and (eq $values.exchange "assume-role") (not $values.agent.disableSessionTags) (not (and $values.cluster.name $values.cluster.arn)) }}
{{- fail "\n\nexchange: assume-role puts the cluster into session tags: set cluster.name and cluster.arn, or agent.disableSessionTags: true" }}
{{- end }}
{{- if and (eq $values.exchange "assume-role") (not $values.associationObjects.enabled) (not $values.agent.allowAnnotationRoles) }}
{{- range $values.associations }}
{{- if not .roleArn }}
{{- fail (printf "\n\nthe association of %s/%s has no roleArn, and exchange: assume-role takes roles from the association list: add its roleArn" .namespace .serviceAccount) }}
{{- end }}
{{- end }}
{{- end }}
{{- $seen := dict }}
{{- range $values.associations }}
{{- $serviceAccount := printf "%s/%s" .namespace .serviceAccount }}
{{- if hasKey $seen $serviceAccount }}
{{- fail (printf "\n\nassociations has two entries for the ServiceAccount %s, and only one can count: remove one" $serviceAccount) }}
{{- end }}
{{- $_ := set $seen $serviceAccount true }}
{{- end }}
{{- if and $values.passRole.enabled (not $values.associationObjects.enabled) }}
{{- fail "\n\npassRole.enabled is about writing associations and patterns, and associationObjects.enabled is false: set associationObjects.enabled=true or passRole.enabled=false" }}
{{- end }}
{{- if and $values.composeRoleArn.partition (not $values.composeRoleArn.accountId) }}
{{- fail "\n\ncomposeRoleArn.partition is for bare role names, and composeRoleArn.accountId does not say of which account: give it too" }}
{{- end }}
{{- if and (eq $values.exchange "eks-auth") (not $values.cluster.name) }}
{{- fail "\n\nexchange: eks-auth calls EKS Auth with the cluster's name: set cluster.name" }}
{{- end }}
{{- if and $values.tokenAudience (ne $values.exchange "web-identity") }}
{{- fail (printf "\n\ntokenAudience is for exchange: web-identity, and %s takes tokens of its own audience only: remove tokenAudience" $values.exchange) }}
{{- end }}
{{- if and $values.injection.configMapNamespace (not $values.injection.configMap) }}
{{- fail "\n\ninjection.configMapNamespace is where the ConfigMap pod-identity-webhook is, and injection.configMap is false: set injection.configMap=true" }}
{{- end }}
{{- if and $values.local.enabled (ne $values.exchange "web-identity") }}
{{- fail (printf "\n\nlocal.enabled works only with exchange: web-identity, and exchange is %s: set exchange=web-identity or local.enabled=false" $values.exchange) }}
{{- end }}
{{- if and $values.local.enabled (not $values.agent.enabled) }}
{{- fail "\n\nlocal.enabled serves credentials through the agent, and agent.enabled is false: set agent.enabled=true or local.enabled=false" }}
{{- end }}
{{- range $values.injection.endpointURLs }}
{{- $private := printf `^http://(localhost|127\.\d+\.\d+\.\d+|\[::1\]|[^/:]+\.svc(\.cluster\.local|\.%s)?)([:/]|$)` (regexQuoteMeta $values.cluster.domain) }}
{{- if and (hasPrefix "http://" .) (not (regexMatch $private .)) }}
{{- fail (printf "\n\ninjection.endpointURLs: %s would get tokens in clear text: use https, or a Service of this cluster (*.svc)" .) }}
{{- end }}
{{- end }}
{{- if and $values.agent.startupTaint (not $values.agent.enabled) }}
{{- fail "\n\nagent.startupTaint waits for the agent of each node, and agent.enabled is false: set agent.enabled=true, or agent.startupTaint=false" }}
{{- end }}
{{- if and $values.local.upstream (not $values.local.enabled) }}
{{- fail "\n\nlocal.upstream is the emulator behind the sandbox, and local.enabled is false: set local.enabled=true, or injection.endpointUrl for an emulator without the sandbox" }}
{{- end }}
{{- if and $values.local.enabled $values.local.autoRoles (not $values.local.config) (not (include "podrole.localAccounts" . | fromJsonArray)) }}
{{- fail "\n\nlocal.autoRoles creates roles only in AWS accounts that the values name, and none is named: set local.accounts (--set-json 'local.accounts=[\"111122223333\"]')" }}
{{- end }}
{{- if and $values.local.enabled (not $values.local.autoRoles) (not $values.local.config) }}
{{- fail "\n\nwith local.autoRoles: false the sandbox has no roles: set local.config" }}
{{- end }}
{{- if and (eq $values.certificates "files") (not $values.certificateFiles.secret) }}
{{- fail "\n\ncertificates: files serves the certificate of a TLS Secret: set certificateFiles.secret, and its CA as certificateFiles.caBundle" }}
{{- end }}
{{- if and (ne $values.certificates "files") (or $values.certificateFiles.secret $values.certificateFiles.caBundle) }}
{{- fail (printf "\n\ncertificateFiles is for certificates: files, and certificates is %s: change one of them" $values.certificates) }}
{{- end }}
{{- if and (eq $values.certificates "own") $values.webhook.pathSegment }}
{{- fail "\n\nwebhook.pathSegment is for certificates: cert-manager or files, and certificates is own, with which the controller makes a segment: remove it" }}
{{- end }}
{{- if and (ne $values.certificates "cert-manager") $values.certManager.issuer }}
{{- fail (printf "\n\ncertManager.issuer is for certificates: cert-manager, and certificates is %s: change one of them" $values.certificates) }}
{{- end }}
{{- if and $values.monitoring.serviceMonitor $values.monitoring.podMonitor }}
{{- fail "\n\nmonitoring.serviceMonitor and monitoring.podMonitor together would count everything twice: set only one of them" }}
{{- end }}
{{- if eq $values.agent.namespace .Release.Namespace }}
{{- fail (printf "\n\nagent.namespace is the release namespace %s: the agent needs the Pod Security level `privileged`, which the webhook's namespace must not have: set another agent.namespace" .Release.Namespace) }}
{{- end }}
{{- if eq .Release.Namespace "kube-system" }}
{{- fail "\n\nthe release namespace is kube-system: pods in podrole's own namespaces get no roles, so CSI drivers and load balancer controllers would get none: install into a namespace of its own (--namespace podrole --create-namespace)" }}
{{- end }}
{{- include "podrole.checkMode" . }}
{{- include "podrole.checkPorts" . }}
{{- include "podrole.checkNames" . }}
{{- $others := dict }}
{{- range (default list (lookup "admissionregistration.k8s.io/v1" "MutatingWebhookConfiguration" "" "").items) }}
{{- $hooks := list }}
{{- range .webhooks }}{{ $hooks = append $hooks .name }}{{ end }}
{{- if and (has "enabled.podrole.io" $hooks) (ne .metadata.name (include "podrole.name" $)) }}{{ $_ := set $others .metadata.name true }}{{ end }}
{{- end }}
{{- /* The controller registers the webhook a while after the install. */}}
{{- range (default list (lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "").items) }}
{{- $labels := default dict .metadata.labels }}
{{- $ours := and (eq (get $labels "app.kubernetes.io/name") "podrole") (eq (get $labels "app.kubernetes.io/component") "controller") }}
{{- if and $ours (ne .metadata.name (printf "%s-controller" (include "podrole.name" $))) }}{{ $_ := set $others (trimSuffix "-controller" .metadata.name) true }}{{ end }}
{{- end }}
{{- range $other, $_ := $others }}
{{- fail (printf "\n\npodrole is already installed in this cluster, with the webhook configuration %s: uninstall it, or upgrade it instead (helm list -A)" $other) }}
{{- end }}
{{- if and $values.agent.enabled .Release.IsInstall (lookup "apps/v1" "DaemonSet" "kube-system" "eks-pod-identity-agent") }}
{{- fail "\n\nEKS's Pod Identity Agent runs on the nodes and uses the address 169.254.170.23: remove the add-on eks-pod-identity-agent, or keep it and set agent.enabled=false" }}
{{- end }}
{{- end }}

{{/* Names that the user gives, beside those that the chart gives: labels of pods and objects, and variables of containers. */}}
{{- define "podrole.checkNames" -}}
{{- $values := .Values -}}
{{- $selector := include "podrole.selector" (list . "any") | fromYaml }}
{{- $labels := dict "labels" $values.labels "monitoring.labels" $values.monitoring.labels }}
{{- range list "webhook" "controller" "agent" }}{{ $_ := set $labels (printf "%s.podLabels" .) (get $values .).podLabels }}{{ end }}
{{- range $name, $given := $labels }}
{{- range $key, $_ := $given }}
{{- if hasKey $selector $key }}
{{- fail (printf "\n\n%s: %s selects podrole's own pods, and never changes: remove it" $name $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- range list "webhook" "controller" "agent" "local" }}
{{- $seen := dict }}
{{- $part := . }}
{{- range (get $values .).extraEnv }}
{{- if and (eq $part "agent") (eq .name "NODE_NAME") }}
{{- fail "\n\nagent.extraEnv: the chart sets NODE_NAME to the pod's node: remove it" }}
{{- end }}
{{- if hasKey $seen .name }}
{{- fail (printf "\n\n%s.extraEnv has two entries for %s, and only one can count: remove one" $part .name) }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- end }}
{{- end }}
