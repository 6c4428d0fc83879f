{{/* The controller's flags. */}}
{{- define "podrole.controllerFlags" -}}
{{- $name := include "podrole.name" . -}}
--namespace={{ .Release.Namespace }}
--name={{ $name }}-controller
--webhook={{ $name }}-webhook
{{- if include "podrole.hasWebhook" . }}
--registration={{ $name }}-registration
--certificates={{ ternary "own" "files" (eq .Values.certificates "own") }}
{{- else }}
--remove-webhook={{ $name }}
{{- end }}
--metrics-port={{ .Values.controller.metricsPort }}
{{- if .Values.agent.startupTaint }}
--startup-taint
--agent-namespace={{ .Values.agent.namespace }}
--agent-selector=app.kubernetes.io/name=podrole,app.kubernetes.io/instance={{ .Release.Name }},app.kubernetes.io/component=agent
{{- end }}
{{- if .Values.healing.enabled }}
--heal
{{- if not .Values.agent.startupTaint }}
--agent-namespace={{ .Values.agent.namespace }}
{{- end }}
{{- end }}
{{- if or .Values.associationObjects.enabled .Values.healing.enabled }}
{{ include "podrole.grantFlags" . | trim }}
{{- end }}
{{- if .Values.ipv6 }}
--bind-address=::
{{- end }}
{{- end }}
