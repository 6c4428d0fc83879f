{{/*
The values' affinity without the excluded nodes. A node is fit if it fits one of the terms, so each gets the exclusion.
*/}}
{{- define "podrole.agentAffinity" -}}
{{- $affinity := deepCopy .Values.agent.affinity }}
{{- $excluded := list }}
{{- range $label, $values := .Values.agent.excludedNodes }}
{{- $excluded = append $excluded (dict "key" $label "operator" "NotIn" "values" $values) }}
{{- end }}
{{- if $excluded }}
{{- $given := dig "nodeAffinity" "requiredDuringSchedulingIgnoredDuringExecution" "nodeSelectorTerms" list $affinity }}
{{- $terms := list }}
{{- range default (list dict) $given }}
{{- $expressions := concat (default list .matchExpressions) $excluded }}
{{- $terms = append $terms (merge (dict "matchExpressions" $expressions) .) }}
{{- end }}
{{- $required := dict "requiredDuringSchedulingIgnoredDuringExecution" (dict "nodeSelectorTerms" $terms) }}
{{- $affinity = mergeOverwrite $affinity (dict "nodeAffinity" $required) }}
{{- end }}
{{- toYaml $affinity }}
{{- end }}
