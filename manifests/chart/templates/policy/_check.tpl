{{/* What the API server's policy cannot do. */}}
{{- define "podrole.checkMode" -}}
{{- $values := .Values -}}
{{- $mode := $values.webhook.mode -}}
{{- if and (ne $mode "webhook") (semverCompare "<1.36.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail (printf "\n\nwebhook.mode: %s needs MutatingAdmissionPolicy of Kubernetes 1.36, and the cluster has %s: set webhook.mode=webhook, or upgrade the cluster (for helm template: --kube-version 1.36.0)" $mode .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if eq $mode "policy" }}
{{- if eq $values.injection.credentials "web-identity" }}
{{- fail "\n\nwebhook.mode: policy injects the provider container only, and injection.credentials is web-identity: set webhook.mode=both or injection.credentials=container" }}
{{- end }}
{{- range $name, $given := dict "injection.configMap" $values.injection.configMap "injection.sessionName" $values.injection.sessionName "injection.endpointURLs" $values.injection.endpointURLs "webhook.extraArgs" $values.webhook.extraArgs }}
{{- if $given }}
{{- fail (printf "\n\n%s is for the webhook, and with webhook.mode: policy there is none: set webhook.mode=both, or remove %s" $name $name) }}
{{- end }}
{{- end }}
{{- if ne $values.certificates "own" }}
{{- fail (printf "\n\ncertificates: %s is for the webhook, and with webhook.mode: policy there is none: set certificates=own, which then makes none" $values.certificates) }}
{{- end }}
{{- end }}
{{- end }}
