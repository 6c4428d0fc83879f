{{/*
Completes .Values: a value that is null or missing gets its default, in each section too. helm deletes what is null, and `helm upgrade
--reuse-values` has none of the values that came with this chart. The entries of a value that is a map itself (labels, resources) are
the user's: null removes one. A template cannot read values.yaml, so its content is in files/defaults.yaml, which a test compares.

Each template begins with this, because they share .Values and helm's order decides which one is first.
*/}}
{{- define "podrole.defaults" -}}
{{- $values := .Values }}
{{- range $name, $default := .Files.Get "files/defaults.yaml" | fromYaml }}
{{- if kindIs "invalid" (index $values $name) }}
{{- $_ := set $values $name $default }}
{{- else if and (kindIs "map" $default) (kindIs "map" (index $values $name)) }}
{{- $section := index $values $name }}
{{- range $inner, $default := $default }}
{{- if kindIs "invalid" (index $section $inner) }}
{{- $_ := set $section $inner $default }}
{{- else if kindIs "map" $default }}
{{- $entries := index $section $inner }}
{{- range $key, $entry := $entries }}{{ if kindIs "invalid" $entry }}{{ $_ := unset $entries $key }}{{ end }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
