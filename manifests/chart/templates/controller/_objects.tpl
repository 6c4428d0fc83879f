{{/*
Entries of their own for each kind of namespace, because a review does not contain the labels of its namespace, so the path must say which one
applies: `enabled`, where a failure admits the pod, and `required`, where it rejects the pod but not the containers of `kubectl debug`.
*/}}
{{- define "podrole.mutatingConfiguration" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata:
  name: {{ include "podrole.name" . }}
  labels:
    {{- include "podrole.labels" (list . "webhook") | nindent 4 }}
  {{- with include "podrole.injectCa" . | trim }}{{ nindent 2 . }}{{ end }}
webhooks:
  - name: enabled.podrole.io
    clientConfig:
      {{- include "podrole.client" (list . "/mutate") | nindent 6 }}
    failurePolicy: Ignore
    namespaceSelector:
      matchExpressions:
        {{- include "podrole.enabledNamespaces" . | nindent 8 }}
    objectSelector:
      matchExpressions:
        - {key: podrole.io/injection, operator: NotIn, values: [disabled]}
        - {key: eks.amazonaws.com/skip-pod-identity-webhook, operator: DoesNotExist}
    rules:
      {{- include "podrole.podsRule" . | nindent 6 }}
      {{- include "podrole.debugRule" . | nindent 6 }}
    {{- include "podrole.pods" . | nindent 4 }}
  - name: required.podrole.io
    clientConfig:
      {{- include "podrole.client" (list . "/mutate/required") | nindent 6 }}
    failurePolicy: Fail
    namespaceSelector:
      matchExpressions:
        {{- include "podrole.requiredNamespaces" . | nindent 8 }}
    rules:
      {{- include "podrole.podsRule" . | nindent 6 }}
    {{- include "podrole.pods" . | nindent 4 }}
  - name: debug.podrole.io
    clientConfig:
      {{- include "podrole.client" (list . "/mutate/required") | nindent 6 }}
    failurePolicy: Ignore
    namespaceSelector:
      matchExpressions:
        {{- include "podrole.requiredNamespaces" . | nindent 8 }}
    rules:
      {{- include "podrole.debugRule" . | nindent 6 }}
    {{- include "podrole.pods" . | nindent 4 }}
{{- end }}

{{/*
The same warnings at `kubectl apply`: the pods of a Deployment are created by a controller, whose warnings no user
sees. It rejects nothing, and a failure admits everything.
*/}}
{{- define "podrole.validatingConfiguration" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: {{ include "podrole.name" . }}
  labels:
    {{- include "podrole.labels" (list . "webhook") | nindent 4 }}
  {{- with include "podrole.injectCa" . | trim }}{{ nindent 2 . }}{{ end }}
webhooks:
  - name: warnings.podrole.io
    clientConfig:
      {{- include "podrole.client" (list . "/validate") | nindent 6 }}
    failurePolicy: Ignore
    namespaceSelector:
      matchExpressions:
        {{- if eq .Values.injection.default "all" }}
        - {key: podrole.io/injection, operator: NotIn, values: [disabled]}
        {{- else }}
        - {key: podrole.io/injection, operator: In, values: [enabled, required]}
        {{- end }}
        - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "podrole.ownNamespaces" . }}}
    rules:
      {{- range $group, $resources := dict "" (list "serviceaccounts" "replicationcontrollers") "apps" (list "deployments" "statefulsets" "daemonsets" "replicasets") "batch" (list "jobs" "cronjobs") }}
      - apiGroups: [{{ $group | quote }}]
        apiVersions: [v1]
        resources: {{ toJson $resources }}
        operations: [CREATE, UPDATE]
        scope: Namespaced
      {{- end }}
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: {{ .Values.injection.timeoutSeconds }}
  # A misspelled label opts nothing in, so a selector by label would miss it. The condition keeps all other Namespaces
  # away, which are not delayed if podrole is down.
  - name: namespaces.podrole.io
    clientConfig:
      {{- include "podrole.client" (list . "/validate") | nindent 6 }}
    failurePolicy: Ignore
    matchConditions:
      - name: has-keys-like-ours
        expression: >-
          [object.metadata.?labels.orValue({}), object.metadata.?annotations.orValue({})].exists(keys,
          keys.exists(key, key.matches('podrol|pod-role|amazon|role-arn')))
    rules:
      - apiGroups: [""]
        apiVersions: [v1]
        resources: [namespaces]
        operations: [CREATE, UPDATE]
        scope: Cluster
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: {{ .Values.injection.timeoutSeconds }}
  {{- if .Values.associationObjects.enabled }}
  # What the schemas cannot see: a guard-rail that does not permit the role, or an exchange that cannot enforce the policy.
  - name: associations.podrole.io
    clientConfig:
      {{- include "podrole.client" (list . "/validate") | nindent 6 }}
    failurePolicy: Ignore
    rules:
      - apiGroups: [podrole.io]
        apiVersions: [v1alpha1]
        resources: [podidentityassociations, podidentitypatterns, podidentityguardrails]
        operations: [CREATE, UPDATE]
        scope: Cluster
    admissionReviewVersions: [v1]
    sideEffects: None
    timeoutSeconds: {{ .Values.injection.timeoutSeconds }}
  {{- end }}
{{- end }}

{{/*
The controller applies it only while replicas are on different nodes: on a single node no successor could start while it is drained, and the
drain would never end. A replica that is not ready serves no review, so it may always be evicted.
*/}}
{{- define "podrole.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "podrole.name" . }}-webhook
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "podrole.labels" (list . "webhook") | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "podrole.selector" (list . "webhook") | nindent 6 }}
{{- end }}

{{- define "podrole.webhookService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "podrole.name" . }}-webhook
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "podrole.labels" (list . "webhook") | nindent 4 }}
spec:
  ipFamilyPolicy: PreferDualStack
  selector:
    {{- include "podrole.selector" (list . "webhook") | nindent 4 }}
  ports:
    - {name: reviews, port: 443, targetPort: reviews, protocol: TCP}
    - {name: metrics, port: {{ .Values.webhook.metricsPort }}, targetPort: metrics, protocol: TCP}
{{- end }}
