{{/* The agent's flags. */}}
{{- define "podrole.agentFlags" -}}
--exchange={{ .Values.exchange }}
--region={{ .Values.region }}
{{- with .Values.cluster.name }}
--cluster-name={{ . }}
{{- end }}
{{- with .Values.cluster.arn }}
--cluster-arn={{ . }}
{{- end }}
{{- if .Values.local.enabled }}
--sts-endpoint-url={{ include "podrole.sandboxUrl" . }}
{{- end }}
{{- if .Values.associations }}
--associations=/etc/podrole/associations/associations.json
{{- end }}
{{- if .Values.agent.allowAnnotationRoles }}
--allow-annotation-roles
{{- end }}
{{- if .Values.agent.disableSessionTags }}
--disable-session-tags
{{- end }}
{{- range .Values.agent.issuers }}
--issuer={{ . }}
{{- end }}
--verify-peer={{ .Values.agent.verifyPeer }}
--pod-requests-per-second={{ int .Values.agent.podRequestsPerSecond }}
--annotation-prefix={{ .Values.injection.annotationPrefix }}
--metrics-port={{ .Values.agent.metricsPort }}
{{- if .Values.ipv6 }}
--metrics-address=::
{{- end }}
--handover={{ .Values.agent.hostFolder }}/handover.sock
--keys-cache={{ .Values.agent.hostFolder }}/keys.json
--health-socket=/run/podrole/health.sock
{{- end }}
