{{/* What Kubernetes' own programs listen on, on nodes and control planes. */}}
{{- define "podrole.takenPorts" -}}
{2379: etcd, 2380: etcd, 2381: etcd, 6443: kube-apiserver, 10248: the kubelet, 10249: kube-proxy, 10250: the kubelet,
10255: the kubelet, 10256: kube-proxy, 10257: kube-controller-manager, 10258: cloud-controller-manager, 10259: kube-scheduler}
{{- end }}

{{/*
The ports that the values choose, by the network where they are opened: a pod's own, or the node's. The others (80 of the agent,
4566 and 8443 of the sandbox) never change.
*/}}
{{- define "podrole.ports" -}}
{{- $webhook := dict "webhook.port" .Values.webhook.port "webhook.metricsPort" .Values.webhook.metricsPort }}
{{- $node := dict }}
{{- if .Values.agent.enabled }}{{ $node = dict "agent.metricsPort" .Values.agent.metricsPort }}{{ end }}
{{- $pods := dict "controller" (dict "controller.metricsPort" .Values.controller.metricsPort) }}
{{- if not (include "podrole.hasWebhook" .) }}
{{- /* Nothing listens. */}}
{{- else if .Values.webhook.hostNetwork }}
{{- $node = merge $node $webhook }}
{{- else }}
{{- $_ := set $pods "webhook" $webhook }}
{{- end }}
{{- dict "node" $node "pods" $pods | toJson }}
{{- end }}

{{- define "podrole.checkPorts" -}}
{{- $ports := include "podrole.ports" . | fromJson }}
{{- $taken := include "podrole.takenPorts" . | fromYaml }}
{{- range $name, $port := $ports.node }}
{{- $port = int $port }}
{{- with get $taken (toString $port) }}
{{- fail (printf "\n\n%s is %d, which %s uses on nodes, and it is on the node's network: set another port" $name $port .) }}
{{- end }}
{{- if lt $port 1024 }}
{{- fail (printf "\n\n%s is %d, and on the node's network only programs with a capability that this one does not have may open a port below 1024: set a higher port" $name $port) }}
{{- end }}
{{- end }}
{{- range $where, $names := merge (dict "node" $ports.node) $ports.pods }}
{{- $seen := dict }}
{{- range $name, $port := $names }}
{{- with get $seen (toString $port) }}
{{- fail (printf "\n\n%s and %s are the same: change one of them" . $name) }}
{{- end }}
{{- $_ := set $seen (toString $port) $name }}
{{- end }}
{{- end }}
{{- if eq (int .Values.webhook.metricsPort) 443 }}
{{- fail "\n\nwebhook.metricsPort is 443, and port 443 of the Service is for reviews: set another port" }}
{{- end }}
{{- end }}

{{/*
"podrole.lowPorts" (list . "webhook"): lets a pod open a port below 1024 if one of its ports is. The program has no capability for it, and
runs as a user who may not be given one; this is a safe sysctl of the pod's own network, which `restricted` allows.
*/}}
{{- define "podrole.lowPorts" -}}
{{- $ports := get (include "podrole.ports" (index . 0) | fromJson).pods (index . 1) }}
{{- $lowest := 1024 }}
{{- range $_, $port := default dict $ports }}{{ $lowest = min $lowest (int $port) }}{{ end }}
{{- if lt (int $lowest) 1024 -}}
sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: {{ $lowest | toString | quote }}}]
{{- end }}
{{- end }}
