{{/*
Parts of CEL expressions. The names in them are those of files/injection.yaml, which a test writes from the crate that the daemons take them
from. Each rule is the webhook's (webhook/src/mutate), and tests/chart/policy compares the two, pod by pod.
*/}}

{{/* "podrole.cel.list" LIST: a list of strings as CEL writes it. */}}
{{- define "podrole.cel.list" -}}
[{{ range $i, $it := . }}{{ if $i }}, {{ end }}'{{ $it }}'{{ end }}]
{{- end }}

{{/* Whether the volume `v` projects the token, with our audience and file name. */}}
{{- define "podrole.cel.isToken" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
v.?projected.?sources.orValue([]).exists(s, s.?serviceAccountToken.?path.orValue('') == '{{ $names.file }}'
&& s.?serviceAccountToken.?audience.orValue('') == '{{ include "podrole.containerAudience" . }}')
{{- end }}

{{/* Whether the mount `m` is at our path, as the kubelet compares paths. */}}
{{- define "podrole.cel.isAtPath" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
m.mountPath.split('/').filter(p, p != '' && p != '.') == {{ include "podrole.cel.list" ($names.mountPath | trimPrefix "/" | splitList "/") }}
{{- end }}

{{/* Whether the variable `e` has a value for certain: not if it is empty, or comes from a source that need not exist. */}}
{{- define "podrole.cel.isSet" -}}
(has(e.valueFrom) ? !e.valueFrom.?secretKeyRef.?optional.orValue(false) && !e.valueFrom.?configMapKeyRef.?optional.orValue(false)
: e.?value.orValue('') != '')
{{- end }}

{{/* "podrole.cel.sets" NAME: whether the container `c` sets the variable. */}}
{{- define "podrole.cel.sets" -}}
c.?env.orValue([]).exists(e, e.name == '{{ . }}' && {{ include "podrole.cel.isSet" . }})
{{- end }}

{{/* "podrole.cel.has" NAME: whether the container `c` has the variable, from any source or with a value. */}}
{{- define "podrole.cel.has" -}}
c.?env.orValue([]).exists(e, e.name == '{{ . }}' && (has(e.valueFrom) || e.?value.orValue('') != ''))
{{- end }}

{{/* "podrole.cel.namesIn" KEY: the names of containers in an annotation of the pod, between commas or line breaks. */}}
{{- define "podrole.cel.namesIn" -}}
object.metadata.?annotations[?'{{ . }}'].orValue('').replace('\n', ',').replace('"', '').split(',').map(n, n.trim()).filter(n, n != '')
{{- end }}

{{/* Pods that are left as they are. namespaceObject is not set here (Kubernetes 1.36), and a read of it would refuse every pod. */}}
{{- define "podrole.policyConditions" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
{{ include "podrole.noMirrorPods" . }}
# Their paths have a drive and backslashes.
- name: no-windows-pods
  expression: >-
    object.spec.?os.?name.orValue('') != 'windows'
    && ['kubernetes.io/os', 'beta.kubernetes.io/os'].all(key, object.spec.?nodeSelector[?key].orValue('') != 'windows')
# A mount of it would give the containers another token than their variables promise.
- name: no-foreign-volume
  expression: >-
    object.spec.?volumes.orValue([]).all(v, v.name != '{{ $names.volume }}'
    || {{ include "podrole.cel.isToken" . | nindent 4 | trim }})
# An apply merges mounts by their path, and would point a mount of the pod's author at our volume without a word.
- name: no-foreign-mount
  expression: >-
    (object.spec.containers + object.spec.?initContainers.orValue([])).all(c, c.?volumeMounts.orValue([]).all(m,
    !({{ include "podrole.cel.isAtPath" . }})
    || m.?subPath.orValue('') == '' && m.?subPathExpr.orValue('') == ''
    && (object.spec.?volumes.orValue([]).exists(v, v.name == m.name && {{ include "podrole.cel.isToken" . | nindent 4 | trim }})
    || m.name == '{{ $names.volume }}' && !object.spec.?volumes.orValue([]).exists(v, v.name == m.name))))
{{- end }}
