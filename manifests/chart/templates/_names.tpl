{{/* The name of the cluster-scoped objects, and the prefix of all other names. */}}
{{- define "podrole.name" -}}
{{- if contains "podrole" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-podrole" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/*
"podrole.labels" (list . "webhook" MAP...): the labels of an object of one component: our own, those of the value `labels`, and those of each map.
A later one replaces an earlier one, so that no key is there twice; "podrole.check" rejects those that would replace the selector.
*/}}
{{- define "podrole.labels" -}}
{{- $root := index . 0 -}}
{{- $labels := dict }}
{{- range prepend (slice . 2) $root.Values.labels }}
{{- range $key, $value := . }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $labels $key $value }}{{ end }}{{ end }}
{{- end }}
{{- $own := dict "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version) }}
{{- $_ := set $own "app.kubernetes.io/version" (quote $root.Chart.AppVersion) }}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service }}
{{- range list "helm.sh/chart" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" }}
{{- if not (hasKey $labels .) }}
{{- printf "%s: %s\n" . (get $own .) }}
{{- end }}
{{- end }}
{{- include "podrole.selector" . }}
{{- with $labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The labels that select the pods of one component; they never change. */}}
{{- define "podrole.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: podrole
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* Tolerations of what must run before the first agent is ready: the taint would stay otherwise. */}}
{{- define "podrole.tolerations" -}}
{{- $root := index . 0 }}
{{- $own := list }}
{{- if $root.Values.agent.startupTaint }}
{{- $own = list (dict "key" "podrole.io/agent-not-ready" "operator" "Exists") }}
{{- end }}
{{- concat (default list (index . 1)) $own | toYaml }}
{{- end }}

{{/* Whether the webhook is installed. Without it a MutatingAdmissionPolicy adds credentials to pods, and the controller stays. */}}
{{- define "podrole.hasWebhook" -}}
{{- if ne .Values.webhook.mode "policy" }}true{{ end }}
{{- end }}

{{- define "podrole.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}
{{- end }}
{{- end }}

{{- define "podrole.agentUri" -}}
{{- if .Values.ipv6 }}http://[fd00:ec2::23]/v1/credentials{{ else }}http://169.254.170.23/v1/credentials{{ end }}
{{- end }}

{{- define "podrole.sandboxUrl" -}}
http://{{ include "podrole.name" . }}-sandbox.{{ .Release.Namespace }}.svc:4566
{{- end }}

{{/* The credential provider, region and endpoint of pods that do not choose. */}}
{{- define "podrole.credentials" -}}
{{- default (ternary "container" "web-identity" .Values.local.enabled) .Values.injection.credentials }}
{{- end }}
{{- define "podrole.injectedRegion" -}}
{{- default (ternary .Values.region "" .Values.local.enabled) .Values.injection.region }}
{{- end }}
{{- define "podrole.endpointUrl" -}}
{{- if .Values.injection.endpointUrl }}{{ .Values.injection.endpointUrl }}{{ else if .Values.local.enabled }}{{ include "podrole.sandboxUrl" . }}{{ end }}
{{- end }}

{{/* The host of that endpoint if a proxy is of no use for it: a Service, a loopback address, or an emulator without TLS. */}}
{{- define "podrole.localHost" -}}
{{- $url := urlParse (include "podrole.endpointUrl" .) }}
{{- $loopback := regexMatch `^(localhost|127\.\d+\.\d+\.\d+|::1)$` $url.hostname }}
{{- $inCluster := or (not (contains "." $url.hostname)) (hasSuffix ".svc" $url.hostname) (hasSuffix ".svc.cluster.local" $url.hostname) (hasSuffix (printf ".svc.%s" .Values.cluster.domain) $url.hostname) }}
{{- if and $url.hostname (or (eq $url.scheme "http") $loopback $inCluster) }}{{ $url.hostname }}{{ end }}
{{- end }}

{{/* The audience of tokens for the agent. */}}
{{- define "podrole.containerAudience" -}}
{{- default (get (.Files.Get "files/injection.yaml" | fromYaml).audiences .Values.exchange) .Values.tokenAudience }}
{{- end }}

{{/* The association list in EKS's format. */}}
{{- define "podrole.associations" -}}
{{- $identities := list }}
{{- range .Values.associations }}
{{- $identity := dict }}
{{- range $key, $value := . }}{{ if not (kindIs "invalid" $value) }}{{ $_ := set $identity $key $value }}{{ end }}{{ end }}
{{- $identities = append $identities $identity }}
{{- end }}
{{- dict "identities" $identities | toPrettyJson }}
{{- end }}

{{/* The namespaces that the webhook must never handle, because its own start must not depend on a webhook. */}}
{{- define "podrole.ownNamespaces" -}}
{{ uniq (list .Release.Namespace .Values.agent.namespace) | toJson }}
{{- end }}
