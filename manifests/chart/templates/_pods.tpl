{{/* What a container of a `restricted` pod has. */}}
{{- define "podrole.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "podrole.restrictedPod" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "podrole.imageOf" -}}
image: {{ include "podrole.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- /* Why one ended is its last line: `kubectl describe pod` shows it. */}}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{/* "podrole.args" (list . FLAGS MORE): flags, one a line, with those for logs and more from the values; as strings, since
"--bind-address=::" is a map to YAML. */}}
{{- define "podrole.args" -}}
{{- $logging := (index . 0).Values.logging -}}
{{- $flags := index . 1 | trim | splitList "\n" -}}
{{- $flags = concat $flags (list (printf "--log=%s" $logging.level) (printf "--log-format=%s" $logging.format)) -}}
{{- range concat $flags (index . 2) }}
- {{ quote . }}
{{- end }}
{{- end }}
