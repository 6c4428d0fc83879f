{{/*
"podrole.client" (list . "/mutate"): the address that the API server calls. With certificates: own the controller puts a secret part before
the path, and adds the caBundle.
*/}}
{{- define "podrole.client" -}}
{{- $root := index . 0 -}}
service: {namespace: {{ $root.Release.Namespace }}, name: {{ include "podrole.name" $root }}-webhook, path: {{ with $root.Values.webhook.pathSegment }}/{{ . }}{{ end }}{{ index . 1 }}}
{{- with $root.Values.certificateFiles.caBundle }}
caBundle: {{ . }}
{{- end }}
{{- end }}

{{/* cert-manager writes the caBundle. */}}
{{- define "podrole.injectCa" -}}
{{- if eq .Values.certificates "cert-manager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "podrole.name" . }}-webhook
{{- end }}
{{- end }}

{{/* The namespaces that opt in; podrole's own never do. */}}
{{- define "podrole.enabledNamespaces" -}}
{{- if eq .Values.injection.default "all" -}}
- {key: podrole.io/injection, operator: NotIn, values: [disabled, required]}
{{- else -}}
- {key: podrole.io/injection, operator: In, values: [enabled]}
{{- end }}
- {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "podrole.ownNamespaces" . }}}
{{- end }}

{{/* The fields that both entries for pods share. */}}
{{- define "podrole.pods" -}}
matchConditions:
  - name: no-mirror-pods
    expression: >-
      !(has(object.metadata.annotations) &&
      'kubernetes.io/config.mirror' in object.metadata.annotations)
rules:
  - {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE], scope: Namespaced}
  # Containers that `kubectl debug` adds. They get what the pod's other containers have, and are never rejected.
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
