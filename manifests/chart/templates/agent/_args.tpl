{{/* The agent's flags. */}}
{{- define "podrole.agentFlags" -}}
{{ include "podrole.grantFlags" . }}
{{- if .Values.local.enabled }}
--sts-endpoint-url={{ include "podrole.sandboxUrl" . }}
{{- end }}
{{- range .Values.agent.issuers }}
--issuer={{ . }}
{{- end }}
{{- with .Values.tokenAudience }}
--audience={{ . }}
{{- end }}
--injection-default={{ .Values.injection.default }}
--verify-peer={{ .Values.agent.verifyPeer }}
--rejected-tokens-per-second={{ int .Values.agent.rejectedTokensPerSecond }}
{{- if .Values.agent.mountCgroups }}
--cgroups=/host/cgroup
{{- end }}
--metrics-port={{ .Values.agent.metricsPort }}
{{- if .Values.agent.metricsIdentities }}
--metrics-identities
{{- end }}
{{- if .Values.ipv6 }}
--metrics-address=::
{{- end }}
--handover={{ .Values.agent.hostFolder }}/handover.sock
--handover-token=/var/run/secrets/podrole.io/handover/token
--keys-cache={{ .Values.agent.hostFolder }}/keys.json
--health-socket=/run/podrole/health.sock
{{- end }}
