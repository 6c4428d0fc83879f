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

{{/*
Containers that `kubectl debug` adds. They get what the pod's other containers have, and are never rejected: in a `required` namespace they
have an entry of their own, because a failure of the entry for pods rejects.
*/}}
{{- define "podrole.debugRule" -}}
- apiGroups: [""]
  apiVersions: [v1]
  resources: [pods/ephemeralcontainers]
  operations: [UPDATE]
  scope: Namespaced
{{- end }}

{{- define "podrole.podsRule" -}}
- {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE], scope: Namespaced}
{{- end }}

{{/* The namespaces whose pods must not start without us. */}}
{{- define "podrole.requiredNamespaces" -}}
- {key: podrole.io/injection, operator: In, values: [required]}
- key: kubernetes.io/metadata.name
  operator: NotIn
  values: {{ concat (list "kube-system") (include "podrole.ownNamespaces" . | fromJsonArray) | toJson }}
{{- end }}

{{/* The fields that all entries for pods share. */}}
{{- define "podrole.pods" -}}
matchConditions:
  {{- include "podrole.noMirrorPods" . | nindent 2 }}
admissionReviewVersions: [v1]
reinvocationPolicy: IfNeeded
sideEffects: None
timeoutSeconds: {{ .Values.injection.timeoutSeconds }}
{{- end }}

{{/* Mirror pods show what a kubelet runs, and cannot be changed. */}}
{{- define "podrole.noMirrorPods" -}}
- name: no-mirror-pods
  expression: >-
    !(has(object.metadata.annotations) &&
    'kubernetes.io/config.mirror' in object.metadata.annotations)
{{- end }}
