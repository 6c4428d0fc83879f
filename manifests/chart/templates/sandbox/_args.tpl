{{/* The sandbox's flags. */}}
{{- define "podrole.sandboxFlags" -}}
{{- $any := ternary "[::]" "0.0.0.0" .Values.ipv6 -}}
--bind={{ $any }}:4566
--in-cluster
{{- if .Values.local.autoRoles }}
--auto-roles
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
