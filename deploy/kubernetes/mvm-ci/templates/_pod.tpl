{{/* What the pods of all components have in common: dict "root" $ "values" .Values.workers. */}}
{{- define "mvm-ci.podDefaults" -}}
serviceAccountName: {{ include "mvm-ci.fullname" .root }}
automountServiceAccountToken: false
# Variables such as MVM_CI_PORT, which Kubernetes makes of Services, are none of our settings.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  # Keys in the data folder are for their owner alone: no later start shall open them to the group.
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "mvm-ci.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- end -}}

{{/* dict "root" $ "component" "worker" "values" .Values.workers. */}}
{{- define "mvm-ci.spread" -}}
topologySpreadConstraints:
{{- with .values.topologySpreadConstraints }}
{{- toYaml . | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "mvm-ci.selector" . | nindent 8 }}
{{- end }}
{{- end -}}

{{- define "mvm-ci.commonEnv" -}}
- { name: RUST_LOG, value: {{ .Values.logLevel | quote }} }
{{- with .Values.otlpEndpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }} }
{{- end }}
{{- end -}}

{{/* Of the component that has an engine, the secrets of workflows: in a file of its own, since a Secret's is open to the group. */}}
{{- define "mvm-ci.secretsInit" -}}
{{- if and .root.Values.workflowSecrets.existingSecret (eq .component (include "mvm-ci.engineComponent" .root)) }}
- name: secrets
  image: {{ include "mvm-ci.image" (dict "root" .root "name" .image) }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [sh, -c, 'umask 077 && cat /run/secrets/workflows/file > /run/workflows/secrets.json']
  resources: {{- include "mvm-ci.initResources" .root | nindent 4 }}
  {{- include "mvm-ci.containerSecurity" .root | nindent 2 }}
  volumeMounts:
    - { name: workflow-secrets, mountPath: /run/secrets/workflows, readOnly: true }
    - { name: workflow-secrets-own, mountPath: /run/workflows }
{{- end }}
{{- end -}}

{{- define "mvm-ci.secretsEnv" -}}
{{- if and .root.Values.workflowSecrets.existingSecret (eq .component (include "mvm-ci.engineComponent" .root)) }}
- { name: MVM_CI_SECRETS, value: /run/workflows/secrets.json }
{{- end }}
{{- end -}}

{{- define "mvm-ci.secretsMounts" -}}
{{- if and .root.Values.workflowSecrets.existingSecret (eq .component (include "mvm-ci.engineComponent" .root)) }}
- { name: workflow-secrets-own, mountPath: /run/workflows, readOnly: true }
{{- end }}
{{- end -}}

{{- define "mvm-ci.secretsVolumes" -}}
{{- if and .root.Values.workflowSecrets.existingSecret (eq .component (include "mvm-ci.engineComponent" .root)) }}
- name: workflow-secrets
  secret:
    secretName: {{ .root.Values.workflowSecrets.existingSecret }}
    defaultMode: 0440
    items: [{ key: {{ .root.Values.workflowSecrets.key | quote }}, path: file }]
- { name: workflow-secrets-own, emptyDir: { medium: Memory, sizeLimit: 1Mi } }
{{- end }}
{{- end -}}

{{- define "mvm-ci.initResources" -}}
requests: { cpu: 50m, memory: 128Mi }
limits: { memory: 512Mi }
{{- end -}}

{{- define "mvm-ci.operatorVolume" -}}
- name: operator-token
  secret:
    secretName: {{ include "mvm-ci.operatorSecret" . }}
    defaultMode: 0440
    items: [{ key: {{ .Values.operatorToken.key | quote }}, path: operator-token }]
{{- end -}}

{{- define "mvm-ci.engineVolume" -}}
- name: engine-token
  secret:
    secretName: {{ include "mvm-ci.engineSecret" . }}
    defaultMode: 0440
    items: [{ key: {{ .Values.engineToken.key | quote }}, path: engine-token }]
{{- end -}}

{{/* Probes of a process: dict "port" "http". Starting may take three minutes, as after a crash with much to read. */}}
{{- define "mvm-ci.probes" -}}
startupProbe:
  httpGet: { path: /healthz, port: {{ .port }} }
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 90
readinessProbe:
  httpGet: { path: /readyz, port: {{ .port }} }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  httpGet: { path: /healthz, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
{{- end -}}
