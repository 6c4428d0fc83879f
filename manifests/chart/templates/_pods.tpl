{{/* The security context of a container in a `restricted` pod. */}}
{{- define "podrole.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "podrole.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 60923
runAsGroup: 60923
fsGroup: 60923
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "podrole.imageOf" -}}
image: {{ include "podrole.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- /* The last log line says why a container ended: `kubectl describe pod` shows it. */}}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* "podrole.args" (list . FLAGS MORE): flags, one per line, followed by those for logs and the extra ones; as strings, because
"--bind-address=::" is a map in YAML. */}}
{{- define "podrole.args" -}}
{{- $logging := (index . 0).Values.logging -}}
{{- $flags := index . 1 | trim | splitList "\n" -}}
{{- $flags = concat $flags (list (printf "--log=%s" $logging.level) (printf "--log-format=%s" $logging.format)) -}}
{{- range concat $flags (index . 2) }}
- {{ quote . }}
{{- end }}
{{- end }}
