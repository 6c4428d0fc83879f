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
{{- end }}

{{- define "podrole.logging" -}}
- --log={{ .Values.logging.level }}
- --log-format={{ .Values.logging.format }}
{{- end }}
