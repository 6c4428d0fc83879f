{{/* What the three kinds have in common. "podrole.kindMetadata" and "podrole.kindNames" (list . KIND PLURAL SHORT). */}}
{{- define "podrole.kindMetadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}.podrole.io
annotations:
  # Without the kinds all associations would be gone, and with the guard-rails the limits: `helm uninstall` keeps them.
  helm.sh/resource-policy: keep
labels:
  {{- include "podrole.labels" (list $root "kinds") | nindent 2 }}
{{- end }}

{{- define "podrole.kindNames" -}}
{{- $kind := index . 1 -}}
kind: {{ $kind }}
listKind: {{ $kind }}List
plural: {{ index . 2 }}
singular: {{ lower $kind }}
shortNames: [{{ index . 3 }}]
categories: [podrole]
{{- end }}

{{/* Columns that end each table of `kubectl get`. */}}
{{- define "podrole.statusColumns" -}}
- {name: Accepted, type: string, jsonPath: '.status.conditions[?(@.type=="Accepted")].status'}
- {name: Reason, type: string, jsonPath: '.status.conditions[?(@.type=="Accepted")].reason'}
- {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
{{- end }}

{{/* A list of globs: "podrole.globs" (dict "text" DESCRIPTION). */}}
{{- define "podrole.globs" -}}
description: >-
  {{ .text }}
type: array
minItems: 1
maxItems: 64
x-kubernetes-list-type: set
items:
  type: string
  minLength: 1
  maxLength: 253
  pattern: '^[-a-z0-9.*]+$'
{{- end }}

{{/* A label selector: "podrole.labelSelector" (dict "of" WORD "text" DESCRIPTION "label" EXAMPLE "value" EXAMPLE). */}}
{{- define "podrole.labelSelector" -}}
description: >-
  {{ .text }}
  Example: {matchLabels: {{ printf "{%s: %s}" .label .value }}}
type: object
x-kubernetes-map-type: atomic
properties:
  matchLabels:
    description: >-
      Labels that the {{ .of }} must have, with these values.
      Example: {{ printf "{%s: %s}" .label .value }}
    type: object
    maxProperties: 16
    additionalProperties:
      type: string
      maxLength: 63
      pattern: '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'
  matchExpressions:
    description: >-
      Conditions on labels of the {{ .of }}. All of them must hold.
      Example: {{ printf "[{key: %s, operator: In, values: [%s]}]" .label .value }}
    type: array
    maxItems: 16
    x-kubernetes-list-type: atomic
    items:
      type: object
      required: [key, operator]
      properties:
        key:
          description: >-
            The label's key.
            Example: {{ .label }}
          type: string
          minLength: 1
          maxLength: 317
          pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'
        operator:
          description: >-
            How the label is compared: In and NotIn with the values, Exists and DoesNotExist without. NotIn and DoesNotExist also select a
            {{ .of }} without the label.
            Example: In
          type: string
          enum: [In, NotIn, Exists, DoesNotExist]
        values:
          description: >-
            The values for In and NotIn.
            Example: [{{ .value }}]
          type: array
          maxItems: 64
          x-kubernetes-list-type: atomic
          items:
            type: string
            maxLength: 63
            pattern: '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'
      x-kubernetes-validations:
        - rule: "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)"
          message: In and NotIn need values, and Exists and DoesNotExist take none
{{- end }}

{{/* Namespaces of patterns and guard-rails. "what" is the object, for the descriptions. */}}
{{- define "podrole.namespaceFields" -}}
namespaces:
  {{- $globs := printf "Names of namespaces that the %s is for; * is any run of characters, and no other character is special. With namespaceSelector, both must hold.\n  Example: [shop-*]" . }}
  {{- include "podrole.globs" (dict "text" $globs) | nindent 2 }}
namespaceSelector:
  {{- $selector := printf "Labels of the namespaces that the %s is for; {} selects all namespaces. With namespaces, both must hold." . }}
  {{- include "podrole.labelSelector" (dict "of" "namespace" "text" $selector "label" "example.com/team" "value" "shop") | nindent 2 }}
{{- end }}

{{- define "podrole.namespaceRule" -}}
- rule: has(self.namespaces) || has(self.namespaceSelector)
  message: give namespaces, namespaceSelector or both
{{- end }}

{{/* The status of all three kinds, which the controller alone writes. */}}
{{- define "podrole.statusSchema" -}}
description: >-
  What podrole makes of the object. Only podrole's controller writes it.
  Example: {observedGeneration: 3}
type: object
# Until the controller has written a status. An object without one is ready for Flux (kstatus), so a role that is denied a second
# later would be reported as applied.
default:
  conditions:
    {{- range $type := list "Accepted" "Ready" }}
    - type: {{ $type }}
      status: Unknown
      reason: Pending
      message: podrole's controller has not checked the object yet
      lastTransitionTime: "1970-01-01T00:00:00Z"
    {{- end }}
properties:
  observedGeneration:
    description: >-
      The metadata.generation that the status is about.
      Example: 3
    type: integer
    format: int64
  externalID:
    description: >-
      The external ID that is sent with targetRoleARN. The trust policy of that role needs it.
      Example: eu-west-1/111122223333/shop/shop/app
    type: string
    maxLength: 1224
  conditions:
    description: >-
      The conditions of the object, one of each type.
      Example: [{type: Accepted, status: "True", reason: Valid}]
    type: array
    maxItems: 8
    x-kubernetes-list-type: map
    x-kubernetes-list-map-keys: [type]
    items:
      type: object
      required: [type, status, reason, message, lastTransitionTime]
      properties:
        type:
          description: >-
            What the condition is about.
            Example: Accepted
          type: string
          minLength: 1
          maxLength: 316
          pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'
        status:
          description: >-
            Whether it holds.
            Example: "False"
          type: string
          enum: ["True", "False", Unknown]
        reason:
          description: >-
            The reason, in one word.
            Example: NotPermitted
          type: string
          minLength: 1
          maxLength: 1024
          pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$'
        message:
          description: >-
            The reason in a sentence, with the fix.
            Example: no guard-rail of the namespace permits the role
          type: string
          maxLength: 32768
        observedGeneration:
          description: >-
            The metadata.generation that the condition is about.
            Example: 3
          type: integer
          format: int64
          minimum: 0
        lastTransitionTime:
          description: >-
            When the status of the condition changed last.
            Example: "2026-01-31T12:00:00Z"
          type: string
          format: date-time
{{- end }}

{{/* The right to read the three kinds, for rules of ClusterRoles. */}}
{{- define "podrole.readsKinds" -}}
- apiGroups: [podrole.io]
  resources: [podidentityassociations, podidentitypatterns, podidentityguardrails]
  verbs: [get, list, watch]
{{- end }}
