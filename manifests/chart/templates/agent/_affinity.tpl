{{/*
The values' affinity without the excluded nodes. A node is fit if it fits one of the terms, so each gets the exclusion. A part of
the affinity may be null.
*/}}
{{- define "podrole.agentAffinity" -}}
{{- $affinity := deepCopy (default dict .Values.agent.affinity) }}
{{- $excluded := list }}
{{- range $label, $values := .Values.agent.excludedNodes }}
{{- $excluded = append $excluded (dict "key" $label "operator" "NotIn" "values" $values) }}
{{- end }}
{{- if $excluded }}
{{- $node := default dict $affinity.nodeAffinity }}
{{- $required := default dict $node.requiredDuringSchedulingIgnoredDuringExecution }}
{{- $terms := list }}
{{- range default (list dict) $required.nodeSelectorTerms }}
{{- $expressions := concat (default list .matchExpressions) $excluded }}
{{- $terms = append $terms (mergeOverwrite (deepCopy .) (dict "matchExpressions" $expressions)) }}
{{- end }}
{{- $_ := set $node "requiredDuringSchedulingIgnoredDuringExecution" (mergeOverwrite $required (dict "nodeSelectorTerms" $terms)) }}
{{- $_ := set $affinity "nodeAffinity" $node }}
{{- end }}
{{- toYaml $affinity }}
{{- end }}
