{{/* "podrole.client" (list . "/mutate"): where the API server calls. */}}
{{- define "podrole.client" -}}
{{- $root := index . 0 -}}
service: {namespace: {{ $root.Release.Namespace }}, name: {{ include "podrole.name" $root }}-webhook, path: {{ index . 1 }}}
{{- with $root.Values.certificateFiles.caBundle }}
caBundle: {{ . }}
{{- end }}
{{- end }}

{{/* cert-manager writes the caBundle; with own certificates the webhook does. */}}
{{- define "podrole.injectCa" -}}
{{- if eq .Values.certificates "cert-manager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "podrole.name" . }}-webhook
{{- end }}
{{- end }}

{{/* The namespaces that opt in; those that are podrole's own never do. */}}
{{- define "podrole.enabledNamespaces" -}}
{{- if eq .Values.injection.default "all" -}}
- {key: podrole.io/injection, operator: NotIn, values: [disabled, required]}
{{- else -}}
- {key: podrole.io/injection, operator: In, values: [enabled]}
{{- end }}
- {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "podrole.ownNamespaces" . }}}
{{- end }}

{{/* What both entries for pods have. */}}
{{- define "podrole.pods" -}}
matchConditions:
  - name: no-mirror-pods
    expression: >-
      !(has(object.metadata.annotations) &&
      'kubernetes.io/config.mirror' in object.metadata.annotations)
rules:
  - {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE], scope: Namespaced}
  # What `kubectl debug` adds; such a container gets what the pod's others have, and we never refuse it.
  - apiGroups: [""]
    apiVersions: [v1]
    resources: [pods/ephemeralcontainers]
    operations: [UPDATE]
    scope: Namespaced
admissionReviewVersions: [v1]
reinvocationPolicy: IfNeeded
sideEffects: None
timeoutSeconds: {{ .Values.injection.timeoutSeconds }}
{{- end }}
