{{/* The risks of the chosen values: one per line, each with its fix. */}}
{{- define "podrole.risks" -}}
{{- $values := .Values -}}
{{- if $values.local.enabled }}
the sandbox accepts every ServiceAccount of this cluster{{ if $values.local.autoRoles }} and creates every role of the AWS accounts {{ include "podrole.localAccounts" . | fromJsonArray | join ", " }}{{ if $values.local.config }} and local.config{{ end }} that a pod asks for{{ end }}: it is for laptops and CI. To use an AWS account, set local.enabled=false.
{{- end }}
{{- $webhook := include "podrole.hasWebhook" . }}
{{- if and $webhook (eq (int $values.webhook.replicas) 1) }}
the webhook has one replica: while its node is drained, no pod gets credentials. Set webhook.replicas=2.
{{- end }}
{{- if and $webhook $values.webhook.hostNetwork }}
webhook.hostNetwork needs as many nodes as replicas ({{ $values.webhook.replicas }}) and a release namespace without Pod Security's `restricted`: kubectl label namespace {{ .Release.Namespace }} --overwrite pod-security.kubernetes.io/enforce=privileged
{{- else if and (not $values.createNamespace) (not (include "podrole.isRestricted" .)) }}
the namespace {{ .Release.Namespace }} has no Pod Security level, and podrole's pods there comply with `restricted`: kubectl label namespace {{ .Release.Namespace }} pod-security.kubernetes.io/enforce=restricted
{{- end }}
{{- if has .Release.Namespace (list "default") }}
podrole is installed in the namespace default, so pods there get no roles. Install it into a namespace of its own: --namespace podrole --create-namespace.
{{- end }}
{{- if and $webhook (eq $values.certificates "files") (not $values.certificateFiles.caBundle) }}
certificates: files without certificateFiles.caBundle: unless another tool writes the caBundle, the API server trusts only its system's CAs. Set certificateFiles.caBundle.
{{- end }}
{{- if and $webhook (ne $values.certificates "own") (not $values.webhook.pathSegment) }}
certificates: {{ $values.certificates }} without webhook.pathSegment: any pod can ask the webhook for the roles and Secrets of any other. Set webhook.pathSegment to a random word of 16 or more characters.
{{- end }}
{{- if and $webhook (eq $values.injection.default "all") }}
injection.default: all: while the webhook is unreachable, pods of every namespace start without credentials. If they must not, label the namespace podrole.io/injection=required.
{{- end }}
{{- if and $values.agent.enabled (eq $values.agent.verifyPeer "off") }}
agent.verifyPeer: off: a token that was stolen from a pod works from any other pod on its node. Set agent.verifyPeer=auto or enforce.
{{- end }}
{{- if and (eq $values.exchange "assume-role") $values.agent.allowAnnotationRoles }}
agent.allowAnnotationRoles: anyone who may write a ServiceAccount in a namespace with podrole.io/permitted-roles can choose any of those roles.
{{- end }}
{{- if and (eq $values.exchange "web-identity") $values.associations }}
exchange: web-identity with associations: IAM must trust the cluster's OIDC issuer for their roles too.
{{- end }}
{{- if and $values.agent.enabled (ne $values.exchange "eks-auth") (include "podrole.isEks" . | trim) }}
the nodes are EKS's, and exchange is {{ $values.exchange }}: the agent rejects pods of EKS Pod Identity associations. Set exchange=eks-auth and cluster.name, unless you have none.
{{- end }}
{{- with include "podrole.foreign" . }}
{{ . }}
{{- end }}
{{- end }}

{{- define "podrole.isRestricted" -}}
{{- $namespace := lookup "v1" "Namespace" "" .Release.Namespace -}}
{{- dig "metadata" "labels" "pod-security.kubernetes.io/enforce" "" (default dict $namespace) }}
{{- end }}

{{/* Whether a node has a label of EKS; nothing without a cluster. */}}
{{- define "podrole.isEks" -}}
{{- range (default list (lookup "v1" "Node" "" "").items) }}
{{- range $key, $value := (default dict .metadata.labels) }}
{{- if hasPrefix "eks.amazonaws.com/" $key }}true{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Other webhooks in this cluster that inject credentials, one line each; nothing without a cluster. */}}
{{- define "podrole.foreign" -}}
{{- range (default list (lookup "admissionregistration.k8s.io/v1" "MutatingWebhookConfiguration" "" "").items) }}
{{- if and (contains "pod-identity-webhook" .metadata.name) (eq $.Values.injection.default "all") }}
the webhook configuration {{ .metadata.name }} injects credentials too, and podrole handles every namespace: a pod keeps what it gets first. Remove it, or set injection.default=labelled.
{{- end }}
{{- end }}
{{- end }}
