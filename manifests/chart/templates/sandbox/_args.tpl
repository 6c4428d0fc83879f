{{/* The Secret and the ConfigMap that the sandbox makes. They are no part of the release: each rendering would have another key,
and a forced upgrade would blank the roles. */}}
{{- define "podrole.sandboxState" -}}
{{ include "podrole.name" . }}-sandbox-state
{{- end }}

{{/* The AWS accounts that the values name, as JSON. The sandbox reads those of local.config itself. */}}
{{- define "podrole.localAccounts" -}}
{{- $accounts := list }}
{{- range concat .Values.local.accounts (compact (list .Values.composeRoleArn.accountId)) }}
{{- $accounts = append $accounts (include "podrole.accountId" .) }}
{{- end }}
{{- range .Values.associations }}
{{- range compact (list .roleArn .targetRoleArn) }}
{{- $accounts = append $accounts (index (splitList ":" .) 4) }}
{{- end }}
{{- end }}
{{- $accounts | uniq | sortAlpha | toJson }}
{{- end }}

{{/* The sandbox's flags. */}}
{{- define "podrole.sandboxFlags" -}}
{{- $any := ternary "[::]" "0.0.0.0" .Values.ipv6 -}}
--bind={{ $any }}:4566
--in-cluster
--cluster-state={{ include "podrole.sandboxState" . }}
{{- if .Values.local.autoRoles }}
--auto-roles
{{- end }}
{{- range (include "podrole.localAccounts" . | fromJsonArray) }}
--account={{ . }}
{{- end }}
{{- if .Values.local.config }}
--config=/etc/podrole/sandbox/config.yaml
{{- end }}
{{- with .Values.local.upstream }}
--upstream={{ . }}
{{- end }}
{{- if .Values.local.tlsSecret }}
--tls-bind={{ $any }}:8443
--tls-cert=/etc/podrole/tls/tls.crt
--tls-key=/etc/podrole/tls/tls.key
{{- end }}
{{- end }}
