{{/*
The flags that decide which role a ServiceAccount gets. Webhook and agent get the same ones, because they must give the
same answer.
*/}}
{{- define "podrole.grantFlags" -}}
--exchange={{ .Values.exchange }}
--region={{ .Values.region }}
--credentials={{ include "podrole.credentials" . }}
--annotation-prefix={{ .Values.injection.annotationPrefix }}
{{- with .Values.cluster.name }}
--cluster-name={{ . }}
{{- end }}
{{- with .Values.cluster.arn }}
--cluster-arn={{ . }}
{{- end }}
{{- if .Values.associations }}
--associations=/etc/podrole/associations/associations.json
{{- end }}
{{- if .Values.associationObjects.enabled }}
--association-objects
{{- end }}
{{- if .Values.agent.allowAnnotationRoles }}
--allow-annotation-roles
{{- end }}
{{- if .Values.agent.disableSessionTags }}
--disable-session-tags
{{- end }}
{{- with .Values.composeRoleArn.accountId }}
--compose-role-arn
{{- /* --set makes a number of it, which loses the zeros in front. */}}
--aws-account-id={{ include "podrole.accountId" . }}
{{- with $.Values.composeRoleArn.partition }}
--aws-partition={{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* An AWS account's id, which YAML may have read as a number without its first zeros. */}}
{{- define "podrole.accountId" -}}
{{ ternary (toString .) (printf "%012d" (int64 .)) (kindIs "string" .) }}
{{- end }}
