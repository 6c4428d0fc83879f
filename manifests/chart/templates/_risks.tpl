{{/* What a person should know of the values that were chosen: one sentence a line, with its mend. */}}
{{- define "podrole.risks" -}}
{{- $values := .Values -}}
{{- if $values.local.enabled }}
the sandbox believes every ServiceAccount of this cluster{{ if $values.local.autoRoles }} and makes every role that is asked for{{ end }}: it is for laptops and CI. With an AWS account behind, set local.enabled=false.
{{- end }}
{{- if eq (int $values.webhook.replicas) 1 }}
one replica of the webhook: while its node is drained no pod gets credentials. Set webhook.replicas=2.
{{- end }}
{{- if $values.webhook.hostNetwork }}
webhook.hostNetwork needs as many nodes as replicas ({{ $values.webhook.replicas }}) and a release namespace without Pod Security's `restricted`: kubectl label namespace {{ .Release.Namespace }} --overwrite pod-security.kubernetes.io/enforce=privileged
{{- else if and (not $values.createNamespace) (not (include "podrole.isRestricted" .)) }}
the namespace {{ .Release.Namespace }} has no Pod Security level, and podrole's pods there need no more than `restricted`: kubectl label namespace {{ .Release.Namespace }} pod-security.kubernetes.io/enforce=restricted
{{- end }}
{{- if has .Release.Namespace (list "default") }}
podrole is in the namespace default, and pods there get no roles. Install it into one of its own: --namespace podrole --create-namespace.
{{- end }}
{{- if and (eq $values.certificates "files") (not $values.certificateFiles.caBundle) }}
certificates: files without certificateFiles.caBundle: unless somebody else writes the caBundle, the API server believes only what its own system trusts. Give it.
{{- end }}
{{- if eq $values.injection.default "all" }}
injection.default: all: pods of every namespace start without credentials while the webhook is away. Where they must not, label the namespace podrole.io/injection=required.
{{- end }}
{{- if and $values.agent.enabled (eq $values.agent.verifyPeer "off") }}
agent.verifyPeer: off: a token that was stolen from a pod works from any other on its node. Set agent.verifyPeer=warn or enforce.
{{- end }}
{{- if and (eq $values.exchange "assume-role") $values.agent.allowAnnotationRoles }}
agent.allowAnnotationRoles: whoever may write a ServiceAccount in a namespace with podrole.io/permitted-roles chooses among those roles.
{{- end }}
{{- if and (eq $values.exchange "web-identity") $values.associations }}
exchange: web-identity with associations: IAM must trust the cluster's OIDC issuer for their roles too.
{{- end }}
{{- with include "podrole.foreign" . }}
{{ . }}
{{- end }}
{{- end }}

{{- define "podrole.isRestricted" -}}
{{- $namespace := lookup "v1" "Namespace" "" .Release.Namespace -}}
{{- dig "metadata" "labels" "pod-security.kubernetes.io/enforce" "" (default dict $namespace) }}
{{- end }}

{{/* Others in this cluster that give pods credentials, one sentence each; nothing without a cluster. */}}
{{- define "podrole.foreign" -}}
{{- range (default list (lookup "admissionregistration.k8s.io/v1" "MutatingWebhookConfiguration" "" "").items) }}
{{- if and (contains "pod-identity-webhook" .metadata.name) (eq $.Values.injection.default "all") }}
the webhook configuration {{ .metadata.name }} gives pods credentials too, and podrole looks at every namespace: a pod keeps what it got first. Remove it, or set injection.default=labelled.
{{- end }}
{{- end }}
{{- end }}
