{{/* The controller's flags. */}}
{{- define "podrole.controllerFlags" -}}
{{- $name := include "podrole.name" . -}}
--namespace={{ .Release.Namespace }}
--name={{ $name }}-controller
--webhook={{ $name }}-webhook
--registration={{ $name }}-registration
--certificates={{ ternary "own" "files" (eq .Values.certificates "own") }}
--metrics-port={{ .Values.controller.metricsPort }}
{{- if .Values.ipv6 }}
--bind-address=::
{{- end }}
{{- end }}
