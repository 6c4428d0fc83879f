{{/*
"podrole.roleFields" (dict "role" REGEX "externalID" REGEX "text" SENTENCE "example" ROLE "exampleID" ID): the fields that say which role pods get.
Associations and patterns share them. Only a pattern's may hold placeholders, which its SENTENCE explains.
*/}}
{{- define "podrole.roleFields" -}}
roleARN:
  description: >-
    The ARN of the IAM role that the pods get.{{ with .text }} {{ . }}{{ end }}
    Example: arn:aws:iam::111122223333:role/{{ .example }}
  type: string
  maxLength: 2048
  pattern: '{{ .role }}'
targetRoleARN:
  description: >-
    A second role, which is assumed with the credentials of roleARN (role chaining), usually in another AWS account. The pods get this
    role. AWS limits such a session to one hour.{{ with .text }} {{ . }}{{ end }}
    Example: arn:aws:iam::444455556666:role/{{ .example }}
  type: string
  maxLength: 2048
  pattern: '{{ .role }}'
externalID:
  description: >-
    The external ID that the trust policy of targetRoleARN requires (sts:ExternalId). Only with targetRoleARN; if it is missing,
    podrole sends region/account/cluster/namespace/ServiceAccount.{{ with .text }} {{ . }}{{ end }}
    Example: {{ .exampleID }}
  type: string
  minLength: 2
  maxLength: 1224
  pattern: '{{ .externalID }}'
disableSessionTags:
  description: >-
    Whether the sessions carry no session tags. With the exchange assume-role they carry EKS's unless this is true.
    Example: true
  type: boolean
  default: false
podTags:
  description: >-
    Whether the session tags include the pod's name and UID. With false all pods of a ServiceAccount on a node share one session.
    If it is missing, the exchange decides: with assume-role they are included.
    Example: false
  type: boolean
policy:
  description: >-
    A session policy, as the text of a JSON object. It only narrows what the role permits. It needs disableSessionTags: true, and it is
    not enforceable with the exchange web-identity.
    Example: {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}
  type: string
  minLength: 2
  maxLength: 2048
  pattern: '^[\t\n\r ]*\{[\t\n\r\x20-\xff]*\}[\t\n\r ]*$'
durationSeconds:
  description: >-
    How long a session is valid, in seconds; with targetRoleARN at most 3540. If it is missing, AWS decides: one hour. AWS refuses more
    than the role's maximum session duration.
    Example: 7200
  type: integer
  format: int32
  minimum: 900
  maximum: 43200
sessionName:
  description: >-
    The name of the sessions, as CloudTrail shows it. The placeholders are {pod.name}, {pod.namespace} and {serviceaccount.name}. It is cut
    to 64 characters after they are replaced. With {pod.name} each pod has a session of its own.
    Example: "{pod.namespace}.{serviceaccount.name}"
  type: string
  minLength: 2
  maxLength: 256
  pattern: '^([\w+=,.@-]|\{(pod\.name|pod\.namespace|serviceaccount\.name)\})+$'
notBefore:
  description: >-
    Sessions that were requested before this time are dropped, and pods get new ones. A time in the future takes effect when it comes.
    Credentials that a process already has remain valid until they expire.
    Example: "2026-01-31T12:00:00Z"
  type: string
  format: date-time
{{- end }}

{{/* What must hold between the fields of a role. */}}
{{- define "podrole.roleRules" -}}
- rule: "!has(self.policy) || self.disableSessionTags"
  message: "policy needs disableSessionTags: true"
- rule: "!has(self.externalID) || has(self.targetRoleARN)"
  message: externalID needs targetRoleARN
- rule: "!has(self.podTags) || !self.podTags || !self.disableSessionTags"
  message: "podTags: true contradicts disableSessionTags: true"
- rule: "!has(self.targetRoleARN) || !has(self.durationSeconds) || self.durationSeconds <= 3540"
  message: with targetRoleARN durationSeconds is at most 3540, because AWS limits role chaining to one hour
- rule: "!has(self.targetRoleARN) || self.targetRoleARN.split(':')[1] == self.roleARN.split(':')[1]"
  message: roleARN and targetRoleARN must be of one partition
{{- end }}
