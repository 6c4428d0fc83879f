{{/* What the mutations share. A mutation sees what those before it did, and each value is computed anew for it. */}}
{{- define "podrole.policyVariables" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
{{- $variables := $names.variables -}}
{{- $pair := list $variables.fullUri $variables.tokenFile -}}
- name: skipped
  expression: >-
    {{ include "podrole.cel.namesIn" (printf "%s/%s" .Values.injection.annotationPrefix $names.annotations.skipContainers) }}
- name: included
  expression: >-
    {{ include "podrole.cel.namesIn" $names.annotations.includeContainers }}
- name: containers
  expression: >-
    (object.spec.containers + object.spec.?initContainers.orValue([])).filter(c, !(c.name in variables.skipped)
    && (variables.included.size() == 0 || c.name in variables.included))
# Containers whose author chose their credentials: with a variable that is not ours, or with only one of our two.
- name: own
  expression: >-
    variables.containers.filter(c, c.?env.orValue([]).exists(e, e.name in {{ include "podrole.cel.list" $names.userDecided }}
    && (e.name in {{ include "podrole.cel.list" $pair }} && has(e.valueFrom)
    || {{ include "podrole.cel.isSet" . | nindent 4 | trim }}
    && !(e.name == '{{ $variables.fullUri }}' && e.?value.orValue('') == '{{ include "podrole.agentUri" . }}')
    && !(e.name == '{{ $variables.tokenFile }}' && e.?value.orValue('') == '{{ $names.tokenPath }}')))
    || {{ include "podrole.cel.sets" $variables.fullUri | nindent 4 | trim }}
    != {{ include "podrole.cel.sets" $variables.tokenFile | nindent 4 | trim }}).map(c, c.name)
# All but those of them that have web identity, complete.
- name: served
  expression: >-
    variables.containers.filter(c, !(c.name in variables.own
    && {{ include "podrole.cel.sets" $variables.roleArn | nindent 4 | trim }}
    && {{ include "podrole.cel.sets" $variables.webIdentityTokenFile | nindent 4 | trim }})).map(c, c.name)
- name: mounting
  expression: >-
    variables.containers.filter(c, c.name in variables.served && !c.?volumeMounts.orValue([]).exists(m,
    {{ include "podrole.cel.isAtPath" . }})).map(c, c.name)
- name: needsVolume
  expression: >-
    !object.spec.?volumes.orValue([]).exists(v, v.name == '{{ $names.volume }}')
    && (variables.mounting.size() > 0 || variables.containers.exists(c, c.name in variables.served
    && c.?volumeMounts.orValue([]).exists(m, m.name == '{{ $names.volume }}' && {{ include "podrole.cel.isAtPath" . | nindent 4 | trim }})))
- name: annotations
  expression: object.metadata.?annotations.orValue({})
- name: region
  expression: >-
    [variables.annotations[?'{{ $names.annotations.region }}'].orValue('')].map(r, r.matches('^[a-z0-9-]{1,32}$') ? r
    : '{{ include "podrole.injectedRegion" . }}')[0]
- name: disablesImds
  expression: >-
    variables.annotations[?'{{ $names.annotations.disableImds }}'].orValue('') in {{ include "podrole.cel.list" $names.trueValues }}
- name: tokenExpiration
  expression: >-
    [variables.annotations[?'{{ .Values.injection.annotationPrefix }}/{{ $names.annotations.tokenExpiration }}'].orValue('')].map(t,
    !t.matches('^[+-]?[0-9]{1,18}$') ? {{ int $names.expirationSeconds.default }}
    : int(t) < {{ int $names.expirationSeconds.min }} ? {{ int $names.expirationSeconds.min }}
    : int(t) > {{ int $names.expirationSeconds.max }} ? {{ int $names.expirationSeconds.max }} : int(t))[0]
{{- end }}

{{/* The token's volume, by JSON Patch: an apply may not write the list projected.sources. */}}
{{- define "podrole.policyVolume" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
!variables.needsVolume ? [] :
(has(object.spec.volumes) ? [] : [JSONPatch{op: 'add', path: '/spec/volumes', value: []}])
+ [JSONPatch{op: 'add', path: '/spec/volumes/-', value: Object.spec.volumes{name: '{{ $names.volume }}',
projected: Object.spec.volumes.projected{sources: [Object.spec.volumes.projected.sources{
serviceAccountToken: Object.spec.volumes.projected.sources.serviceAccountToken{
audience: '{{ include "podrole.containerAudience" . }}', expirationSeconds: variables.tokenExpiration,
path: '{{ $names.file }}'}}]}}}]
{{- end }}

{{/* The containers, by an apply: it adds variables and mounts that are missing, and completes empty variables in place. */}}
{{- define "podrole.policyContainers" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
variables.served.size() == 0 ? Object{} : Object{
metadata: Object.metadata{labels: {'{{ $names.podLabel }}': 'enabled'}},
spec: Object.spec{
containers: {{ include "podrole.policyList" (list . "containers" "object.spec.containers") | nindent 0 | trim }},
initContainers: {{ include "podrole.policyList" (list . "initContainers" "object.spec.?initContainers.orValue([])") | nindent 0 | trim }}}}
{{- end }}

{{/* "podrole.policyList" (list . TYPE LIST): the additions to the containers of one list. */}}
{{- define "podrole.policyList" -}}
{{- $root := index . 0 -}}
{{- $type := printf "Object.spec.%s" (index . 1) -}}
{{- $names := $root.Files.Get "files/injection.yaml" | fromYaml -}}
{{ index . 2 }}.filter(c, c.name in variables.served).map(c, {{ $type }}{name: c.name,
volumeMounts: c.name in variables.mounting
? [{{ $type }}.volumeMounts{name: '{{ $names.volume }}', readOnly: true, mountPath: '{{ $names.mountPath }}'}] : [],
env: ({{ include "podrole.policyEnv" $root }}).map(e, {{ $type }}.env{name: e[0], value: e[1]})})
{{- end }}

{{/* The variables that the container `c` gets, as pairs of name and value, in the webhook's order. */}}
{{- define "podrole.policyEnv" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
{{- $variables := $names.variables -}}
{{- $endpoint := include "podrole.endpointUrl" . -}}
{{- if include "podrole.injectedRegion" . -}}
({{ include "podrole.cel.has" $variables.stsRegionalEndpoints }} ? [] : [['{{ $variables.stsRegionalEndpoints }}', 'regional']])
+ {{ end -}}
(variables.region == '' || {{ include "podrole.cel.has" $variables.defaultRegion }}
|| {{ include "podrole.cel.has" $variables.region }} ? []
: [['{{ $variables.defaultRegion }}', variables.region], ['{{ $variables.region }}', variables.region]])
+ (c.name in variables.own ? [] :
{{- with $endpoint }} ({{ include "podrole.cel.has" $variables.endpointUrl }} ? [] : [['{{ $variables.endpointUrl }}', '{{ replace "$" "$$" . }}']])
+
{{- end }} (!variables.disablesImds || {{ include "podrole.cel.has" $variables.ec2MetadataDisabled }} ? []
: [['{{ $variables.ec2MetadataDisabled }}', 'true']])
+ ({{ include "podrole.cel.sets" $variables.fullUri }} ? []
: [['{{ $variables.fullUri }}', '{{ include "podrole.agentUri" . }}'], ['{{ $variables.tokenFile }}', '{{ $names.tokenPath }}']])
+ ({{ include "podrole.policyProxy" . }}))
{{- end }}

{{/*
Exceptions of a container with a proxy: the proxy would get the token, and cannot resolve a Service's name. A spelling of NO_PROXY that is there is
extended and the other one not added, because a program that reads both uses only one of them. One that is there twice is left alone: an apply has
one entry of each name, and would be refused, or remove the other.
*/}}
{{- define "podrole.policyProxy" -}}
{{- $names := .Files.Get "files/injection.yaml" | fromYaml -}}
{{- $noProxies := include "podrole.cel.list" $names.noProxies -}}
{{- $hosts := include "podrole.cel.list" $names.agentAddresses -}}
{{- $entries := "e.?value.orValue('').split(',').map(s, s.trim())" -}}
{{- $endpoint := include "podrole.endpointUrl" . -}}
{{- with include "podrole.localHost" . }}
{{- $ours := printf "c.?env.orValue([]).all(e, e.name != '%s' || !has(e.valueFrom) && e.?value.orValue('') in ['', '%s'])" $names.variables.endpointUrl $endpoint }}
{{- $hosts = printf "(%s ? %s : %s)" $ours (include "podrole.cel.list" (append $names.agentAddresses .)) $hosts }}
{{- end -}}
!c.?env.orValue([]).exists(e, e.name in {{ include "podrole.cel.list" $names.proxies }} && (has(e.valueFrom) || e.?value.orValue('') != '')) ? []
: !c.?env.orValue([]).exists(e, e.name in {{ $noProxies }}) ? {{ $noProxies }}.map(n, [n, {{ $hosts }}.join(',')])
: c.?env.orValue([]).filter(e, e.name in {{ $noProxies }} && !has(e.valueFrom)
&& c.env.filter(o, o.name == e.name).size() == 1 && !('*' in {{ $entries }}) && {{ $hosts }}.exists(h, !(h in {{ $entries }})))
.map(e, [string(e.name), e.?value.orValue('') + (e.?value.orValue('').trim() == '' || e.?value.orValue('').trim().endsWith(',') ? '' : ',')
+ {{ $hosts }}.filter(h, !(h in {{ $entries }})).join(',')])
{{- end }}
