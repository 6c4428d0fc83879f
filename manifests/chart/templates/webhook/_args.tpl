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
--ca-secret={{ $name }}-webhook-ca
{{- else }}
--certificates=files
{{- end }}
--exchange={{ .Values.exchange }}
--credentials={{ include "podrole.credentials" . }}
--container-credentials-full-uri={{ include "podrole.agentUri" . }}
--annotation-prefix={{ .Values.injection.annotationPrefix }}
{{- with include "podrole.injectedRegion" . }}
--aws-default-region={{ . }}
{{- end }}
{{- with include "podrole.endpointUrl" . }}
--endpoint-url={{ . }}
{{- end }}
{{- if .Values.associations }}
--watch-container-credentials-config=/etc/podrole/associations/associations.json
{{- end }}
{{- if .Values.injection.configMap }}
--watch-config-map=true
{{- end }}
{{- end }}
