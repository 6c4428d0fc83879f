{{/* The webhook's flags. */}}
{{- define "podrole.webhookFlags" -}}
{{- $name := include "podrole.name" . -}}
--port={{ .Values.webhook.port }}
--metrics-port={{ .Values.webhook.metricsPort }}
{{- if .Values.ipv6 }}
--bind-address=::
{{- end }}
--namespace={{ .Release.Namespace }}
--webhook-configuration={{ $name }}
--service-name={{ $name }}-webhook
{{- if eq .Values.certificates "own" }}
--certificates=own
--serving-secret={{ $name }}-webhook-serving
{{- else }}
--certificates=files
{{- with .Values.webhook.pathSegment }}
--path-segment={{ . }}
{{- end }}
{{- end }}
{{ include "podrole.grantFlags" . }}
--container-credentials-full-uri={{ include "podrole.agentUri" . }}
{{- with include "podrole.injectedRegion" . }}
--aws-default-region={{ . }}
{{- end }}
{{- with include "podrole.endpointUrl" . }}
--endpoint-url={{ . }}
{{- end }}
{{- with .Values.injection.sessionName }}
--default-session-name={{ . }}
{{- end }}
{{- range .Values.injection.endpointURLs }}
--permitted-endpoint-url={{ . }}
{{- end }}
{{- if .Values.local.enabled }}
--permitted-endpoint-url={{ include "podrole.sandboxUrl" . }}/*
{{- end }}
{{- if ne .Values.cluster.domain "cluster.local" }}
--cluster-domain={{ .Values.cluster.domain }}
{{- end }}
{{- if .Values.injection.configMap }}
--watch-config-map=true
{{- with .Values.injection.configMapNamespace }}
--config-map-namespace={{ . }}
{{- end }}
{{- end }}
{{- with .Values.tokenAudience }}
--token-audience={{ . }}
--container-credentials-audience={{ . }}
{{- end }}
{{- end }}
